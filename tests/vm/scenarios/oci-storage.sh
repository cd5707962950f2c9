# What it shows: an app starts from an OCI layout, containers-storage, layers of Docker and containerd, and a build of its own.
# Container: yes
# Timeout: 600

made=$TEST_DIR/container
command -v skopeo >/dev/null || skip "skopeo is not installed here"
# Not in /tmp, of which builds see nothing.
dir=/srv/oci-storage
mkdir -p "$dir"

. "$TEST_DIR/oci.sh"
# of ID KEY SOURCE
of() {
	oci_app "$@"
	apps="$apps $1"
}
apps=
skopeo copy --quiet "oci-archive:$made/hello.oci.tar" "oci:$dir/layout:hello"
of layout oci "\"oci:$dir/layout:hello\""

# The same two layers as Docker and containerd lay them out: what is deleted is a character device.
manifest=$(sed -nE 's/.*"digest":"sha256:([0-9a-f]{64})".*/\1/p' "$dir/layout/index.json")
layers=$(grep -oE '"layers":.*' "$dir/layout/blobs/sha256/$manifest" | grep -oE '[0-9a-f]{64}')
below=
for layer in $layers; do
	mkdir -p "$dir/overlay2/$layer/diff" "$dir/overlay2/l"
	tar -xzf "$dir/layout/blobs/sha256/$layer" -C "$dir/overlay2/$layer/diff"
	echo "${layer:0:26}" >"$dir/overlay2/$layer/link"
	ln -s "../$layer/diff" "$dir/overlay2/l/${layer:0:26}"
	[ -z "$below" ] || printf 'l/%s' "${below:0:26}" >"$dir/overlay2/$layer/lower"
	top=$layer lower=$below below=$layer
done
rm "$dir/overlay2/$top/diff/srv/www/.wh.old.html"
mknod "$dir/overlay2/$top/diff/srv/www/old.html" c 0 0
of overlay2 oci "\"overlay2:$dir/overlay2/$top\""
of snapshot oci "\"containerd:$dir/overlay2/$top/diff:$dir/overlay2/$lower/diff\""
mkdir -p "$dir/containerd/io.containerd.content.v1.content"
cp -a "$dir/layout/blobs" "$dir/containerd/io.containerd.content.v1.content/"
of content oci "\"containerd:$dir/containerd@sha256:$manifest\""

if command -v buildah >/dev/null; then
	mkdir "$dir/context"
	gunzip -c "$dir/layout/blobs/sha256/$lower" >"$dir/context/base.tar"
	printf 'FROM scratch\nADD base.tar /\nRUN rm /srv/www/old.html && echo hello from inside a verified image >/srv/www/index.html\n' \
		>"$dir/context/Containerfile"
	of built build "{ context = \"$dir/context\" }"
fi
# What podman would see: skopeo writes it, there is no podman in this.
skopeo copy --quiet "oci-archive:$made/hello.oci.tar" containers-storage:localhost/hello:1
umount -q /var/lib/containers/storage/overlay || :
of storage oci '"containers-storage:localhost/hello:1"'

veneer check
reload
verify_units
snapshot
for id in $apps; do
	began=$(uptime_now)
	serves "$id"
	note "$id $(awk -v a="$began" -v b="$(uptime_now)" 'BEGIN { printf "%.1f", b - a }') s"
done
nothing_left
rm -rf "$dir" /var/lib/containers/storage
