# What it shows: our udev rules leave every block device alone that is not ours: disks, loop devices, other device-mapper devices.
# Once: trixie

ready() { ! udevadm info --query=property "$1" | grep -q '^SYSTEMD_READY=0' || fail "our rules took $1: $(udevadm info "$1")"; }

truncate -s 1M /run/veneer-test/file
loop=$(losetup -f --show /run/veneer-test/file)
dmsetup create veneer-test-other --table "0 8 zero"
udevadm trigger --settle /dev/vda "$loop"
udevadm settle
for device in /dev/vda /dev/vdb "$loop" /dev/mapper/veneer-test-other; do ready "$device"; done
dmsetup remove veneer-test-other
losetup -d "$loop"

hello_app ours 'sleep 1000'
reload
start ours
udevadm settle
device=$(readlink -f /run/veneer/apps/ours/device)
udevadm info --query=property "$device" | grep -q '^SYSTEMD_READY=0' || fail "udev makes $device ready"
stop ours
rm -f /run/veneer-test/file
