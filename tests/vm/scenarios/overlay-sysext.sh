# What it shows: a committed overlay is a system extension that systemd-sysext itself takes.
# Guests: trixie
# Tier: soak
# Timeout: 120

command -v systemd-sysext >/dev/null || skip "no systemd-sysext here"
target=/usr/share/veneer-sysext
mkdir -p "$target" /root/sysext /var/lib/extensions
echo base >"$target/file"
echo base >"$target/gone"
echo extended >/root/sysext/file
veneer overlay apply sysext /root/sysext "$target" --writable
rm "$target/gone"
veneer overlay commit sysext --as=sysext --output=/var/lib/extensions/change
veneer overlay remove sysext
expect "$(cat "$target/file")" base
if ! systemd-sysext merge; then
	[ -n "${CONTAINER:-}" ] || fail "systemd-sysext does not take it"
	rm -f /var/lib/extensions/change.*
	skip "no image can be merged in a container"
fi
expect "$(cat "$target/file")" extended
[ ! -e "$target/gone" ] || fail "a whiteout is none"
systemd-sysext unmerge
expect "$(cat "$target/file")" base
rm -f /var/lib/extensions/change.*
