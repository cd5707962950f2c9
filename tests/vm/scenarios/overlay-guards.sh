# What it shows: an overlay keeps what its target's mount keeps programs from, and only root reaches what it hides.
# Container: yes
# Timeout: 180

mnt=/srv/veneer-guards
at=$mnt/closed
source=/root/veneer-guards
rm -rf "$source"
mkdir -p "$mnt" "$source"
snapshot
mount -t tmpfs -o nosuid,noexec,nodev,mode=755 tmpfs "$mnt"
mkdir -p "$at/dir" "$mnt/declared"
chmod 700 "$at"
install -m 4755 /usr/bin/id "$at/dir/old-id"
echo old >"$at/file"
echo new | tee "$source/file" >"$source/new"
options() { findmnt -rno OPTIONS "$1" | tail -n 1 | tr , '\n' | grep -E '^(ro|rw|no(suid|exec|dev))$' | paste -sd ' '; }
nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
# All that anybody else may read is records and root hashes: whoever wants to see more goes by the target.
closed() {
	local found
	found=$(nobody find /run/veneer/overlays /var/lib/veneer/host-overlays -type f -readable 2>/dev/null || :)
	expect "$(grep -vE '/record.json$|[.]roothash$' <<<"$found")" ""
}

# The first version, and one that takes its place; a directory and a file; transient and persistent.
for again in first later; do
	veneer overlay apply guards "$source" "$at/dir" --writable --size=1M
	veneer overlay apply guards-file "$source/file" "$at/file"
	expect "$(options "$at/dir")" "rw nosuid nodev noexec"
	expect "$(options "$at/file")" "ro nosuid nodev noexec"
	expect "$(options /run/veneer/overlays/guards/base/v)" "ro nosuid nodev noexec"
	echo "$again" >"$at/dir/written"
	[ -u /run/veneer/overlays/guards/base/v/old-id ] || fail "the view lacks what is hidden"
	closed
done
veneer overlay commit guards --output=/root/veneer-guards-image >/dev/null
veneer overlay remove guards-file
veneer overlay remove guards
chmod 644 /root/veneer-guards-image.*
veneer overlay apply guards /root/veneer-guards-image.raw "$at/dir" --persistent
closed
veneer overlay remove guards

# Elsewhere the view is without set-uid programs, the overlay is not.
mkdir -p /usr/share/veneer-guards
veneer overlay apply guards "$source" /usr/share/veneer-guards
expect "$(options /usr/share/veneer-guards)" "ro nodev"
expect "$(options /run/veneer/overlays/guards/base/v)" "ro nosuid nodev"
veneer overlay remove guards
veneer overlay apply guards "$source" /usr/share/veneer-guards --option=noexec
expect "$(options /usr/share/veneer-guards)" "ro nodev noexec"
veneer overlay remove guards

# A declared one says so itself, or does not start.
mkdir -p /etc/veneer/overlays.d
declared() { printf '[overlay]\nsource = "%s"\ntarget = "%s"\n%s\n' "$source" "$mnt/declared" "$1" >/etc/veneer/overlays.d/guards.toml; }
declared ''
systemctl daemon-reload
unit=$(systemd-escape --path --suffix=mount "$mnt/declared")
systemctl start "$unit" 2>/dev/null && fail "it started"
journal_has veneer-overlay-host@guards.service "is on a mount with nosuid and noexec"
declared 'options = ["noexec", "nosuid"]'
systemctl daemon-reload
systemctl start "$unit"
expect "$(options "$mnt/declared")" "ro nosuid nodev noexec"
veneer overlay remove guards
rm -r /etc/veneer/overlays.d
systemctl daemon-reload
systemctl reset-failed
umount "$mnt"
nothing_left
rm -rf "$mnt" "$source" /usr/share/veneer-guards /root/veneer-guards-image.*
