# What it shows: an overlay that is stopped takes no new version and can be looked at; isolate stops none; what a soft reboot leaves goes.
# Container: yes
# Once: trixie
# Timeout: 120

target=/usr/share/veneer-stopped
mkdir -p "$target" /root/stopped/{a,b}
echo base | tee "$target/base" >"$target/file"
echo a >/root/stopped/a/file
echo b >/root/stopped/b/file
mount='usr-share-veneer\x2dstopped.mount'
layers=veneer-overlay-host@stopped.service
all() { find /run/veneer/overlays /var/lib/veneer/host-overlays | sort; }
field() { veneer overlay list --json=short | grep -o "\"$1\":[^,]*" | cut -d: -f2- | tr -d '"'; }

no_loop() { ! losetup -ln -O BACK-FILE | grep -q veneer/host-overlays/stopped; }

for options in --writable "--writable --persistent --size=2M"; do
	# shellcheck disable=SC2086 # words
	veneer overlay apply stopped /root/stopped/a "$target" $options
	echo written >"$target/written"
	rm "$target/base"
	before=$(veneer overlay diff stopped)
	systemctl stop "$layers"
	expect "$(cat "$target/file")" base
	there=$(all)
	for try in "" --dry-run; do
		# shellcheck disable=SC2086 # words
		fails_with "stopped is not mounted: run systemctl start $mount first" \
			veneer overlay apply stopped /root/stopped/b "$target" $options $try
	done
	expect "$(all)" "$there"
	expect "$(field state) $(field version)" "stopped 1"
	# Its layers are read as they lie there: the same is said as while it was up.
	expect "$(veneer overlay diff stopped)" "$before"
	# The kernel lets go of the loop device when the last one has closed it, which may be udev.
	eventually 10 no_loop
	systemctl start "$mount"
	expect "$(cat "$target/file" "$target/written" | paste -sd ' ')" "a written"
	# shellcheck disable=SC2086 # words
	veneer overlay apply stopped /root/stopped/b "$target" $options
	expect "$(cat "$target/file")" b
	veneer overlay remove stopped
done

# A file, whose new content is in a place of its own.
echo patched >/root/stopped/patch
veneer overlay apply stopped /root/stopped/patch "$target/file" --writable
echo more >>"$target/file"
before=$(veneer overlay diff stopped)
systemctl stop "$layers"
expect "$(veneer overlay diff stopped)" "$before"
fails_with "is not mounted" veneer overlay commit stopped --output=/root/stopped/image
systemctl start "$target/file"
veneer overlay remove stopped

# What nobody asked to be stopped is not: neither by isolate, nor by a unit that comes after the overlay.
veneer overlay apply stopped /root/stopped/a "$target"
systemctl isolate multi-user.target
systemctl is-active --quiet "$mount" "$layers"
expect "$(cat "$target/file")" a
has "$(systemctl show -p Before "$mount")" sysinit.target

# A soft reboot stops units, takes off what is mounted in /run, and keeps the record.
systemctl stop "$layers"
umount /run/veneer/overlays/stopped/source-1
SYSTEMD_PROC_CMDLINE='veneer=0 veneer=off' /usr/libexec/veneer/veneer-overlay host-recover
expect "$(field state)" stopped
systemctl restart veneer-overlay-recover.service
expect "$(veneer overlay list)" "no overlay lies over this host"
journal_has veneer-overlay-recover.service "stopped: its data is gone, and so it was removed"
expect "$(all | grep stopped || :)" ""
has "$(systemctl show -p After veneer-overlay-recover.service)" systemd-sysext.service
rm -r "$target" /root/stopped
