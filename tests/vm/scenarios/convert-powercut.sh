# What it shows: with the power cut at every flush of a conversion, the image is whole or absent, and the next run succeeds.
# Timeout: 900
# Tier: soak

modprobe -q dm-log-writes 2>/dev/null || skip "this kernel has no dm-log-writes"
made=$TEST_DIR/container
dir=/var/lib/veneer-cut
mkdir -p $dir/first $dir/at /run/cut
for name in a b; do seq "$((RANDOM * 10 + 20000))" >"$dir/first/$name"; done

# The check of one state: mounted as after a cut, looked at, and converted into once more.
cat >$dir/check <<'END'
#!/bin/bash
set -eu
trap 'umount -q /var/lib/veneer-cut/at || :' EXIT
mount -o loop "$1" /var/lib/veneer-cut/at
cd /var/lib/veneer-cut/at
if [ -e x.raw ]; then veneer image verify "$PWD/x.raw" >/dev/null; fi
veneer image convert "dir:/var/lib/veneer-cut/first" --output="$PWD/x" 2>/dev/null
veneer image verify "$PWD/x.raw" >/dev/null
[ "$(ls -A | grep -v lost+found | paste -sd ' ')" = 'x.manifest.json x.raw x.roothash x.verity' ]
cd /
END
chmod +x $dir/check

# A small file system under a log of what is written; an image is made in it, and another takes its place.
truncate -s 24M $dir/data
truncate -s 256M $dir/log
mkfs.ext4 -q -O ^metadata_csum_seed $dir/data
cp $dir/data $dir/base
data=$(losetup -f --show $dir/data)
log=$(losetup -f --show $dir/log)
dmsetup create veneer-cut --table "0 $(blockdev --getsz "$data") log-writes $data $log"
mount /dev/mapper/veneer-cut /run/cut
veneer image convert "oci-archive:$made/hello.oci.tar" --output=/run/cut/x 2>/dev/null
veneer image convert "dir:$dir/first" --output=/run/cut/x 2>/dev/null
umount /run/cut
dmsetup remove veneer-cut
losetup -d "$data" "$log"
said=$(/usr/lib/veneer-test/replay $dir/log $dir/base "${SEED:-1}" $dir/check) || fail "a state is neither whole nor absent"
note "$said"
rm -rf $dir
rmdir /run/cut
