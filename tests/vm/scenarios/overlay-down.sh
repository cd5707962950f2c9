# What it shows: the machine goes down cleanly while PID 1 and a service run from overlays, and nothing that was written is lost.
# Tier: soak
# Timeout: 180

target=/usr/share/veneer-down
before_reboot() {
	local libraries
	# PID 1 runs from an overlay: its libraries are those of one that lies over their directory.
	libraries=$(dirname "$(awk '/libsystemd-shared/ { print $6; exit }' /proc/1/maps)")
	mkdir -p /root/down/libraries "$target/bin" /root/down/bin
	cp -a "$libraries"/libsystemd-*.so /root/down/libraries/
	veneer overlay apply down-pid1 /root/down/libraries "$libraries" --force-target="$libraries" >/dev/null
	systemctl daemon-reexec
	grep -q libsystemd-shared /proc/1/maps
	expect "$(stat -fc %T "$libraries")" overlayfs
	# A service that runs a program of one, and keeps a file of it open that it writes to.
	cp /bin/busybox /root/down/bin/
	veneer overlay apply down-service /root/down/bin "$target/bin" --writable --persistent --size=8M >/dev/null
	printf '[Service]\nExecStart=%s/busybox sh -c "exec 3>>%s/open; while echo line >&3; do %s/busybox sleep 0.1; done"\nExecStop=%s/busybox cp %s/precious /root/down.stopped\n' \
		"$target/bin" "$target/bin" "$target/bin" "$target/bin" "$target/bin" >/run/systemd/system/down-holder.service
	systemctl daemon-reload
	systemctl start down-holder.service
	eventually 5 test -s "$target/bin/open"
	echo precious >"$target/bin/precious"
}

after_reboot() {
	local said
	expect "$(cat "$target/bin/precious")" precious
	# What it stops by ran from the overlay, too: that comes off when the service has stopped.
	expect "$(cat /root/down.stopped)" precious
	[ "$(wc -l <"$target/bin/open")" -gt 0 ]
	expect "$(sort -u "$target/bin/open")" line
	# What went wrong while going down is in the journal of the boot before, as long as that was written.
	said=$(journalctl -b -1 -o cat --no-pager | grep -E 'Failed (un)?mounting|timed out|Failed with result|down-' | grep -E 'veneer|down|overlay' || :)
	if echo "$said" | grep -qE 'Failed|timed out'; then fail "going down: $said"; fi
	# The file system with what was written was taken off in order: nothing of its journal had to be replayed.
	if journalctl -b -k -o cat --no-pager | grep -E 'EXT4-fs \(loop[0-9]+\): (recovery|INFO: recovery)'; then fail "it was not taken off"; fi
	veneer overlay remove down-service >/dev/null
	expect "$(veneer overlay list | grep -c '^down-')" 0 || :
	rm -rf /root/down /root/down.stopped "$target"
}
