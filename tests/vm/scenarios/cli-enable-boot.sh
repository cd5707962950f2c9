# What it shows: what veneer enable and disable say holds over a reboot, against what a vendor ships.

before_reboot() {
	mkdir -p /usr/lib/veneer/apps.d
	for id in cliboot1 cliboot2; do
		image "$id"
		printf '[app]\nautostart = %s\n[image]\nfile = "%s"\n[service]\nexec = ["/bin/sleep", "1000"]\n' \
			"$([ "$id" = cliboot2 ] && echo true || echo false)" "$id" >"/usr/lib/veneer/apps.d/$id.toml"
	done
	reload
	veneer enable cliboot1
	veneer disable cliboot2
}

after_reboot() {
	eventually 10 running cliboot1
	running cliboot2 && fail "cliboot2 was started" || :
	systemctl stop app@cliboot1
	rm -r /etc/veneer/apps.d/cliboot?.toml.d /usr/lib/veneer/apps.d/cliboot?.toml
}
