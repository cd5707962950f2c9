# What it shows: a session is a writable copy of an ext4 image, made by its unit and gone with it; what is bad makes none.
# Container: yes
# Timeout: 180

veneer image convert "dir:$TEST_DIR/scenarios" --format=ext4 --size=32M --output="$STORE/disk" >/dev/null 2>&1 ||
	veneer image convert "dir:/usr/share/doc/veneer" --format=ext4 --size=32M --output="$STORE/disk" >/dev/null
app disk <<'T'
[image]
file = "disk"
require = "verity"
type = "ext4"
[session]
kind = "image"
limit = 3
[service]
exec = ["/sbin/init"]
T
reload
verify_units
snapshot
place=/run/veneer/sessions/disk
unit() { echo "veneer-clone-disk@$1.service"; }
digest() { sha256sum <"$1"; }

systemctl start "$(unit one)" "$(unit two)" || fail "$(unit_journal "$(unit one)")"
journal_has "$(unit one)" "session one of disk: image of $STORE/disk.raw"
expect "$(digest "$place/one/disk.raw")" "$(digest "$STORE/disk.raw")"

# What one writes, no other sees, and the image is what it was.
before=$(digest "$STORE/disk.raw")
head -c 1M /dev/zero | tr '\0' 1 >"$place/one/pattern"
dd if="$place/one/pattern" of="$place/one/disk.raw" bs=1M seek=3 conv=notrunc status=none
rm "$place/one/pattern"
expect "$(digest "$place/two/disk.raw")" "$before"
expect "$(digest "$STORE/disk.raw")" "$before"
[ "$(digest "$place/one/disk.raw")" != "$before" ] || fail "nothing was written"
veneer image verify disk >/dev/null

# What made them says what is needed next, to people and to programs; so do those that show and remove.
said=$(veneer session create disk three --json=short)
for part in '"session":"three","unit":"veneer-clone-disk@three.service"' "\"path\":\"$place/three/disk.raw\"" '"state":"active"'; do
	has "$said" "$part" || fail "create says: $said"
done
expect "[$(veneer session inspect disk three --json=short)]" "$said"
has "$(veneer session list disk --json=short)" "${said:1:-1}" || fail "list says: $(veneer session list disk --json=short)"
expect "$(veneer session gc --dry-run --json=short)" "[$(for n in one three two; do
	printf '%s{"fate":"keep","app":"disk","session":"%s","path":null,"why":"its unit is active"}' "${comma-}" "$n" && comma=,
done)]"
expect "$(veneer session remove disk three --json=short)" '[{"app":"disk","session":"three"}]'
expect "$(veneer session create disk three)" "three $place/three/disk.raw veneer-clone-disk@three.service"
veneer session remove disk three

# No more than there may be.
systemctl start "$(unit three)"
fails_with "failed" systemctl start "$(unit four)"
journal_has "$(unit four)" "there are 3 sessions of disk, as many as there may be"
systemctl stop "$(unit three)"

# Names that are none.
for name in '..' 'a..b' '\x2e\x2e' 'a\x2fb'; do
	! systemctl start "$(unit "$name")" 2>/dev/null || fail "a session named $name"
done

# A larger disk, with the file system in it; never a smaller one, and none without who grows it.
systemctl stop "$(unit one)" "$(unit two)"
nothing_left
resized() { sed -i -e '/^resize/d' -e "s/^kind = .*/&\nresize = \"$1\"/" "$APPS/disk.toml" && reload; }
blocks() { dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Block count: *//p'; }
resized 64M
systemctl start "$(unit large)" || fail "$(unit_journal "$(unit large)")"
expect "$(stat -Lc %s "$place/large/disk.raw")" $((64 << 20))
expect "$(blocks "$place/large/disk.raw")" $(($(blocks "$STORE/disk.raw") * (64 << 20) / $(stat -c %s "$STORE/disk.raw")))
e2fsck -fn "$place/large/disk.raw" >/dev/null 2>&1 || fail "the grown file system is not sound"
systemctl stop "$(unit large)"
mkdir -p "/run/systemd/system/$(unit none).d"
printf '[Service]\nEnvironment=PATH=/run/veneer-test/nowhere\n' >"/run/systemd/system/$(unit none).d/path.conf"
reload
fails_with "failed" systemctl start "$(unit none)"
journal_has "$(unit none)" "growing a disk needs resize2fs (Debian: e2fsprogs)"
rm -r "/run/systemd/system/$(unit none).d"
resized 16M
fails_with "failed" systemctl start "$(unit small)"
journal_has "$(unit small)" "resize = \"16m\" is less"
sed -i '/^resize/d' "$APPS/disk.toml"
reload

# An image that does not verify, and none at all.
nothing_left
cp "$STORE/disk.raw" /run/veneer-test/good.raw
printf X | dd of="$STORE/disk.raw" bs=1 seek=9000000 conv=notrunc status=none
fails_with "failed" systemctl start "$(unit bad)"
journal_has "$(unit bad)" "$STORE/disk.raw is damaged in block"
rm "$STORE/disk.raw"
fails_with "failed" systemctl start "$(unit gone)"
journal_has "$(unit gone)" "there is no image $STORE/disk.raw"
cp /run/veneer-test/good.raw "$STORE/disk.raw"

# The file of the app goes while a session is up: stopping it needs none.
systemctl start "$(unit one)"
rm "$APPS/disk.toml"
reload
[ -f "$place/one/disk.raw" ] || fail "the reload took the session away"
systemctl stop "$(unit one)"
nothing_left
