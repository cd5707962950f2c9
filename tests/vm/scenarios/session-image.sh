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

# No more than there may be.
systemctl start "$(unit three)"
fails_with "failed" systemctl start "$(unit four)"
journal_has "$(unit four)" "there are 3 sessions of disk, as many as there may be"
systemctl stop "$(unit three)"

# Names that are none.
for name in '..' 'a..b' '\x2e\x2e' 'a\x2fb'; do
	! systemctl start "$(unit "$name")" 2>/dev/null || fail "a session named $name"
done

# An image that does not verify, and none at all.
systemctl stop "$(unit one)" "$(unit two)"
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
