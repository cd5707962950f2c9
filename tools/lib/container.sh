# shellcheck shell=bash
# Makes a container image by hand, with tar and sha256sum: an OCI archive, and the same as `docker save` writes it.
# Two layers: the second takes a page of the first away and replaces another. The same bytes on every machine.

# container_image DIR: hello.oci.tar and hello.docker.tar, and the root hash that this machine makes of them.
container_image() {
	local dir=$1 work convert=$TREE/usr/libexec/veneer/veneer-convert
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/veneer-container-XXXXXX")
	mkdir -p "$dir"
	container_layers "$work"
	container_config "$work" >"$work/config"
	oci_archive "$work" "$dir/hello.oci.tar"
	docker_archive "$work" "$dir/hello.docker.tar"
	if [ -x "$convert" ]; then
		quietly "$TARGET/log/container" "$convert" "oci-archive:$dir/hello.oci.tar" --platform=amd64 --output="$work/hello"
		cp "$work/hello.roothash" "$dir/"
	fi
	rm -rf "$work"
}

container_layers() {
	local work=$1 www=srv/www
	hello_root "$work/1"
	echo 'not this page' >"$work/1/$www/index.html"
	echo 'deleted by the second layer' >"$work/1/$www/old.html"
	mkdir -p "$work/2/$www"
	printf 'hello from inside a verified image\n' >"$work/2/$www/index.html"
	: >"$work/2/$www/.wh.old.html"
	chmod -R go-w,a+rX "$work/1" "$work/2"
	stable_tar "$work/1" "$work/1.tar"
	stable_tar "$work/2" "$work/2.tar"
}

# stable_tar DIR FILE: nothing of who made it, and when.
stable_tar() {
	tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$2" .
}

digest_of() { sha256sum <"$1" | cut -d' ' -f1; }

container_config() {
	printf '{"created":"2026-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{},'
	printf '"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
		"$(digest_of "$1/1.tar")" "$(digest_of "$1/2.tar")"
}

# blob FILE LAYOUT: puts it among the blobs, and prints what a document says of it.
blob() {
	local digest
	digest=$(digest_of "$1")
	cp "$1" "$2/blobs/sha256/$digest"
	printf '"digest":"sha256:%s","size":%s' "$digest" "$(stat -c %s "$1")"
}

oci_archive() {
	local work=$1 oci=$1/oci type=application/vnd.oci.image
	mkdir -p "$oci/blobs/sha256"
	gzip -nk "$work/1.tar" "$work/2.tar"
	printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},' \
		"$type" "$type" "$(blob "$work/config" "$oci")" >"$work/manifest"
	printf '"layers":[{"mediaType":"%s.layer.v1.tar+gzip",%s},{"mediaType":"%s.layer.v1.tar+gzip",%s}]}' \
		"$type" "$(blob "$work/1.tar.gz" "$oci")" "$type" "$(blob "$work/2.tar.gz" "$oci")" >>"$work/manifest"
	printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s}]}' \
		"$type" "$(blob "$work/manifest" "$oci")" >"$oci/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
	stable_tar "$oci" "$2"
}

docker_archive() {
	local work=$1 docker=$1/docker config
	config=$(digest_of "$work/config").json
	mkdir -p "$docker/1" "$docker/2"
	cp "$work/config" "$docker/$config"
	cp "$work/1.tar" "$docker/1/layer.tar"
	cp "$work/2.tar" "$docker/2/layer.tar"
	printf '[{"Config":"%s","RepoTags":["hello:latest"],"Layers":["1/layer.tar","2/layer.tar"]}]' \
		"$config" >"$docker/manifest.json"
	stable_tar "$docker" "$2"
}
