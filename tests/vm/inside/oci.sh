# shellcheck shell=bash
# What scenarios of apps with a container image have in common: a registry on loopback, the app, and what it must serve.
# A scenario that uses it says: . "$TEST_DIR/oci.sh"

# registry UNIT PORT DIRECTORY: Debian's registry, without TLS, with the test image as hello:1.
registry() {
	printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: 127.0.0.1:%s}\n' \
		"$3" "$2" >"$3/config.yml"
	systemd-run --quiet --unit="$1" docker-registry serve "$3/config.yml"
	printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$2" >/etc/veneer/registries.conf
	eventually 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$2"
	skopeo copy --quiet --dest-tls-verify=false "oci-archive:$TEST_DIR/container/hello.oci.tar" "docker://127.0.0.1:$2/hello:1"
}

# oci_app ID KEY VALUE: an app whose [image] has that, and which serves the pages of the test image.
oci_app() {
	app "$1" <<-TOML
		[image]
		$2 = $3
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
