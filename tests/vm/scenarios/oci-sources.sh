# What it shows: an app starts from a registry and from archives, and again without them; a pull that fails says why.
# Container: yes
# Tier: soak
# Timeout: 600

made=$TEST_DIR/container
command -v skopeo >/dev/null && command -v docker-registry >/dev/null || skip "skopeo or docker-registry is not installed here"

# A registry on loopback, with the image in it.
dir=$(mktemp -d)
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: 127.0.0.1:5055}\n' \
	"$dir" >"$dir/config.yml"
systemd-run --quiet --unit=test-registry docker-registry serve "$dir/config.yml"
printf '[[registry]]\nlocation = "127.0.0.1:5055"\ninsecure = true\n' >/etc/veneer/registries.conf
eventually 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/5055'
skopeo copy --quiet --dest-tls-verify=false "oci-archive:$made/hello.oci.tar" docker://127.0.0.1:5055/hello:1

# of ID SOURCE
of() {
	app "$1" <<-TOML
		[image]
		oci = "$2"
		[service]
		exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
	TOML
}
# serves ID: it starts, has the page of the image, and not the one that the second layer deletes. Without device mapper the
# image is made and looked into.
serves() {
	local at=/run/veneer-test/image
	if [ -n "${CONTAINER:-}" ]; then
		systemctl stop "veneer-convert@$1" "veneer-pull@$1" 2>/dev/null || :
		systemctl start "veneer-convert@$1" || fail "$1: $(unit_journal "veneer-pull@$1.service") $(unit_journal "veneer-convert@$1.service")"
		veneer image verify "$(realpath "/var/lib/veneer/apps/$1/current")" >/dev/null || fail "$1: the image is not whole"
		mkdir -p $at
		mount -o ro,loop "/var/lib/veneer/apps/$1/current" $at
		expect "$(cat $at/srv/www/index.html)" 'hello from inside a verified image'
		[ -x $at/bin/httpd ] && [ ! -e $at/srv/www/old.html ] || fail "$1: not what the layers say"
		umount $at
		rmdir $at
		return
	fi
	start "$1"
	eventually 20 get 8080
	expect "$(get 8080)" 'hello from inside a verified image'
	get 8080 /old.html && fail "$1: a file that the second layer deletes is there"
	stop "$1"
}
cp "$made/hello.oci.tar" "$made/hello.docker.tar" "$dir/"
of registry docker://127.0.0.1:5055/hello:1
of archive "oci-archive:$dir/hello.oci.tar"
of docker "docker-archive:$dir/hello.docker.tar"
veneer check
reload
snapshot
for id in registry archive docker; do serves "$id"; done
nothing_left
journal_has veneer-pull@registry.service 'pulled, sha256:'
journal_has veneer-convert@registry.service 'version 1'
veneer image exists docker://127.0.0.1:5055/hello:1 || fail "the store does not have it"
veneer image exists docker://127.0.0.1:5055/other:1 && fail "the store has what never was"
has "$(veneer image inspect docker://127.0.0.1:5055/hello:1)" 'Used by: /etc/veneer/apps.d/registry.toml:2' ||
	fail "it is not said who uses the image"
has "$(veneer status registry)" 'veneer-pull@registry.service' || fail "the pull is no part of the app's status"

# All of them are one image, and no source is needed any more.
expect "$(find "$STORE" -name 'sha256-*.raw' | wc -l)" 1
systemctl stop test-registry
rm -rf "$dir"
for id in registry archive; do serves "$id"; done
journal_has veneer-convert@archive.service 'is not there any more'
of registry docker://127.0.0.1:5055/hello:2
reload
systemctl stop veneer-convert@registry veneer-pull@registry 2>/dev/null || :
unit=app@registry
[ -z "${CONTAINER:-}" ] || unit=veneer-convert@registry
systemctl start $unit 2>/dev/null && fail "an image that nobody has was started"
journal_has veneer-pull@registry.service 'the registry cannot be reached'
nothing_left
