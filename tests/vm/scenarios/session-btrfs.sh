# What it shows: on Btrfs all subvolumes share data, so copies of images and of directories cost nothing there, and a subvolume that a session makes goes with it.
# Container: yes
# Once: trixie
# Timeout: 180

pool=/srv/pool
mkdir -p "$pool"
truncate -s 512M /var/lib/pool.btrfs
mkfs.btrfs -q /var/lib/pool.btrfs
mount -o loop /var/lib/pool.btrfs "$pool" || skip "this kernel has no Btrfs"
for volume in images trees sessions; do btrfs subvolume create "$pool/$volume" >/dev/null; done
mkdir -p "$pool/trees/tree/bin" /run/veneer-test/seed /etc/veneer
head -c 24M /dev/urandom >/run/veneer-test/seed/data
cp /run/veneer-test/seed/data "$pool/trees/tree/bin/data"
ln "$pool/trees/tree/bin/data" "$pool/trees/tree/bin/again"
veneer image convert dir:/run/veneer-test/seed --format=ext4 --size=64M --output="$pool/images/disk" 2>/dev/null
printf '[store]\nroots = ["%s/images"]\n[session]\ndirectory = "%s/sessions"\n' "$pool" "$pool" >/etc/veneer/veneer.toml
# session_app ID SOURCE KIND: an app with sessions of that kind.
session_app() { printf '[image]\n%s\n[session]\n%s\n[service]\nexec = ["/bin/x"]\n' "$2" "$3" | app "$1"; }
disk=$(printf 'file = "disk"\ntype = "ext4"')
session_app disk "$disk" "$(printf 'kind = "image"\nreflink = "always"')"
session_app auto-disk "$disk" ''
session_app tree "directory = \"$pool/trees/tree\"" "$(printf 'kind = "tree"\nreflink = "always"')"
session_app auto-tree "directory = \"$pool/trees/tree\"" ''
reload
has "$(veneer doctor || :)" "$pool/sessions is on Btrfs, which shares data (reflink)" || fail "doctor does not say that it can"
! has "$(veneer doctor || :)" 'each session of ' || fail "doctor takes another subvolume for another file system"
snapshot
used() { sync -f "$pool" && btrfs filesystem usage -b "$pool" | sed -nE 's/^ +Used: +([0-9]+)$/\1/p' | head -n 1; }
before=$(used)
for id in disk auto-disk tree auto-tree; do
	unit=veneer-clone-$id@one.service
	systemctl start "$unit" || fail "$(unit_journal "$unit")"
	has "$(veneer session inspect "$id" one)" 'by reflink' || fail "$(veneer session inspect "$id" one)"
done
wrote=$(($(used) - before))
[ "$wrote" -lt 8000000 ] || fail "four copies took $wrote bytes"
expect "$(sha256sum </run/veneer/sessions/disk/one/disk.raw)" "$(sha256sum <"$pool/images/disk.raw")"
expect "$(sha256sum </run/veneer/sessions/tree/one/root/bin/again)" "$(sha256sum <"$pool/trees/tree/bin/data")"
expect "$(stat -c %h /run/veneer/sessions/auto-tree/one/root/bin/data)" 2

# What one writes, neither the original nor another has.
echo other >/run/veneer/sessions/tree/one/root/bin/data
expect "$(sha256sum </run/veneer/sessions/auto-tree/one/root/bin/data)" "$(sha256sum <"$pool/trees/tree/bin/data")"
btrfs subvolume create /run/veneer/sessions/tree/one/root/own >/dev/null
echo inside >/run/veneer/sessions/tree/one/root/own/file
systemctl stop 'veneer-clone-*@one.service'
nothing_left
expect "$(find "$pool/sessions" -mindepth 1)" ''
rm /etc/veneer/veneer.toml "$APPS"/{disk,auto-disk,tree,auto-tree}.toml
reload
umount "$pool"
rm /var/lib/pool.btrfs
rmdir "$pool"
