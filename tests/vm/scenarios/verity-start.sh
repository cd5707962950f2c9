# What it shows: how an app's image is opened: the device, its mark, what udev and systemd make of it, and its end.

image a
app a <<'T'
[image]
file = "a"
[service]
exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
T
reload
snapshot
start a
eventually 5 get 8080

# The device is the kernel's alone: no udev, no /dev/mapper, and it goes with its loop devices.
device=$(readlink /run/veneer/apps/a/device)
has "$device" /dev/dm- || fail "the device is $device"
expect "$(cat "/sys/block/${device#/dev/}/ro")" 1
name=$(cat "/sys/block/${device#/dev/}/dm/name")
[[ $name =~ ^veneer-a-[0-9a-f]{8}$ ]] || fail "its name is $name"
udevadm settle
systemctl show -P ActiveState "$(systemd-escape -p --suffix=device "$device")"
losetup -ln -O NAME,AUTOCLEAR,RO,DIO,BACK-FILE
cat /run/veneer/live/a
journal_has app@a 'it fits its root hash'
note "attach: $(systemd-analyze cat-config x 2>/dev/null; systemctl show -P ExecMainStartTimestampMonotonic veneer-verity@a) to $(systemctl show -P ExecMainExitTimestampMonotonic veneer-verity@a)"

# What udev says of a device is no reason to stop its mount.
udevadm trigger --settle --subsystem-match=block
sleep 1
running a || fail "an event took the app down"

stop a
nothing_left
