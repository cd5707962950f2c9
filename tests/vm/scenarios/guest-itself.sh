# What it shows: the guest is what the scenarios rely on: device-mapper, loop, EROFS, overlay, a late /var.

modprobe -a loop dm-verity erofs overlay squashfs
mountpoint -q /var || fail "/var is not a file system of its own"
dmsetup targets | grep -q '^verity' || fail "no dm-verity"
note "systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p'), Linux $(uname -r)"

image hello
veritysetup verify "$STORE/hello.raw" "$STORE/hello.verity" "$(roothash hello)"
expect "$(stat -c %U "$STORE/hello.raw")" root
