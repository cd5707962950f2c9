# What it shows: an app whose image came from a registry starts at boot without the registry.
# Tier: soak
# Timeout: 300

. "$TEST_DIR/oci.sh"
before_reboot() {
	command -v skopeo >/dev/null && command -v docker-registry >/dev/null || skip "skopeo or docker-registry is not installed here"
	local dir=/run/oci-reboot
	mkdir -p "$dir"
	registry reboot-registry 5056 "$dir"
	app oci-reboot <<-TOML
		[app]
		autostart = true
		[image]
		oci = "docker://127.0.0.1:5056/hello:1"
		[service]
		exec = ["/bin/httpd", "-f", "-p", "8093", "-h", "/srv/www"]
	TOML
	reload
	start oci-reboot
	eventually 5 get 8093
}

after_reboot() {
	[ -e /etc/veneer/apps.d/oci-reboot.toml ] || skip "skopeo or docker-registry is not installed here"
	eventually 30 get 8093
	expect "$(get 8093)" 'hello from inside a verified image'
	has "$(journalctl --no-pager -b -o cat -u veneer-pull@oci-reboot.service)" 'is in the store' ||
		fail "the pull did not find it in the store"
	stop oci-reboot
}
