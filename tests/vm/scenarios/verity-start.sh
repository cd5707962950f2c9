# What it shows: how an image is opened: the device, its mark, what udev and systemd make of it, and its end.

hello_app vs 'httpd -f -p 8090 -h /srv/www'
reload
snapshot
start vs
eventually 5 get 8090

# The device is read-only, has a name of its own, and is no unit that anybody waits for.
device=$(readlink /run/veneer/apps/vs/device)
has "$device" /dev/dm- || fail "the device is $device"
expect "$(cat "/sys/block/${device#/dev/}/ro")" 1
name=$(cat "/sys/block/${device#/dev/}/dm/name")
[[ $name =~ ^veneer-vs-[0-9a-f]{8}$ ]] || fail "its name is $name"
expect "$(losetup -ln -O AUTOCLEAR,RO | sort -u | tr -s ' ' | sed 's/^ //')" "1 1"
udevadm settle
has "$(udevadm info "$device")" SYSTEMD_READY=0 || fail "udev thinks of $device: $(udevadm info "$device")"
has "$(cat /run/veneer/live/vs)" "shown integrity $(roothash vs)" || fail "the mark says: $(cat /run/veneer/live/vs)"
has "$(cat /run/veneer/live/vs)" "run-veneer-apps-vs-image.mount" || fail "the mark has no units"
journal_has app@vs 'it fits its root hash'

# Fields and catalog.
journalctl --update-catalog
expect "$(journalctl -q --no-pager -o cat -n 1 VENEER_APP=vs MESSAGE_ID=41f91795a5254af48b2926934551552b --output-fields=VENEER_ROOT_HASH)" "$(roothash vs)"
has "$(journalctl -q --no-pager -x -n 1 VENEER_APP=vs MESSAGE_ID=41f91795a5254af48b2926934551552b)" 'opened as a read-only block device' ||
	fail "the catalog does not explain it"

# What udev says of devices is no reason to stop a mount.
udevadm trigger --settle --subsystem-match=block
udevadm trigger --settle --subsystem-match=block --action=add
sleep 1
running vs || fail "an event took the app down"
mountpoint -q /run/veneer/apps/vs/image || fail "an event took the mount down"

begin=$(systemctl show -P ExecMainStartTimestampMonotonic veneer-verity@vs)
end=$(systemctl show -P ExecMainExitTimestampMonotonic veneer-verity@vs)
note "attach, first of the boot: $(((end - begin) / 1000)) ms"
stop vs
nothing_left
start vs
begin=$(systemctl show -P ExecMainStartTimestampMonotonic veneer-verity@vs)
end=$(systemctl show -P ExecMainExitTimestampMonotonic veneer-verity@vs)
note "second: $(((end - begin) / 1000)) ms"
stop vs
nothing_left

# A dry run says what would be done, and does nothing.
has "$(/usr/libexec/veneer/veneer-verity attach vs --image="$STORE/vs.raw" --dry-run)" "link /run/veneer/apps/vs/device" ||
	fail "the dry run does not say it"
nothing_left
