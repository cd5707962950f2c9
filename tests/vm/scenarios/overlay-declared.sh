# What it shows: a changed declaration takes effect with a restart, or says which key cannot; a soft reboot has it made anew.
# Container: yes
# Once: trixie
# Timeout: 300

target=/usr/share/veneer-declared
file=/etc/veneer/overlays.d/site.toml
layers=veneer-overlay-host@site.service
mkdir -p /etc/veneer/overlays.d "$target" /root/declared/{a,b}
echo base >"$target/file"
echo a >/root/declared/a/file
echo b >/root/declared/b/file
field() { veneer overlay list --json=short | grep -o "\"$1\":[^,}]*" | cut -d: -f2- | tr -d '"'; }
# declare SOURCE [LINE...]: the file, read by systemd.
declare_site() {
	printf '[overlay]\nsource = "/root/declared/%s"\ntarget = "%s"\n' "$1" "$target" >"$file"
	shift
	printf '%s\n' "$@" >>"$file"
	reload
}
follows() { systemctl restart "$layers" "$target"; }

# One that is not up is not applied by hand: its units would wait for the act that starts them.
declare_site a
fails_with 'is declared in overlays.d' timeout 20 veneer overlay apply site /root/declared/b "$target"
expect "$(veneer overlay list)" "no overlay lies over this host"

for lifetime in 'persistent = false' 'persistent = true'; do
	writable=('mode = "writable"' "$lifetime")
	declare_site a "${writable[@]}" 'size = "2M"'
	verify_units
	systemctl start "$target"
	echo written >"$target/written"
	follows
	expect "$(cat "$target/file" "$target/written" | paste -sd ' ')" "a written"
	expect "$(field version)" 1
	# What no layer says.
	declare_site a "${writable[@]}" 'size = "2M"' 'description = "The site"' 'base-changed = "hold"'
	follows
	expect "$(field version) $(field description)" "1 The site"
	# Another size takes what was written with it, if that fits.
	declare_site a "${writable[@]}" 'size = "8M"' 'base-changed = "hold"'
	follows
	expect "$(field version) $(field size) $(cat "$target/written")" "2 8388608 written"
	head -c 6M /dev/zero >"$target/big"
	declare_site a "${writable[@]}" 'size = "2M"'
	if follows; then fail "6M do not fit into 2M"; fi
	journal_has "$layers" "No space left on device"
	expect "$(field version) $(field state)" "2 stopped"
	declare_site a "${writable[@]}" 'size = "8M"'
	systemctl start "$target"
	expect "$(stat -c %s "$target/big")" 6291456
	# Another source is a version without what was written; the older one can be had back.
	declare_site b "${writable[@]}" 'size = "8M"'
	follows
	expect "$(field version) $(ls "$target") $(cat "$target/file")" "3 file b"
	veneer overlay rollback site
	expect "$(cat "$target/file" "$target/written" | paste -sd ' ')" "a written"
	# What it cannot follow is named, and comes with a removal.
	declare_site b "$lifetime"
	if follows; then fail "the mode cannot change"; fi
	journal_has "$layers" "the key mode has changed"
	veneer overlay remove site
	systemctl start "$target"
	expect "$(field mode) $(cat "$target/file")" "read-only b"
	veneer overlay remove site
done

# After a soft reboot: the record is there, its data is not. The start of the mount waits for the recovery, which cancels nothing.
declare_site a
systemctl start "$target"
systemctl stop "$layers" veneer-overlay-recover.service
umount /run/veneer/overlays/site/source-1
systemctl start veneer-overlay-recover.service "$target"
expect "$(field state) $(cat "$target/file")" "active a"
journal_has veneer-overlay-recover.service "site: its data is gone"
has "$(systemctl show -p After "$layers")" systemd-sysext.service
veneer overlay remove site

# The name of a unit has an end.
long=/opt/$(printf 'a-%.0s' $(seq 60))
mkdir -p "$long"
fails_with "is too long" veneer overlay apply long /root/declared/a "$long"
sed -i "s|^target = .*|target = \"$long\"|" "$file"
fails_with "$file:3:10: error: overlay.target: $long is too long" veneer check
rm -r "$target" "$long" /root/declared /etc/veneer/overlays.d
reload
