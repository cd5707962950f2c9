# What it shows: the fallback serves only when there is no image file at all, and says so; a bad image never falls back.
# Once: bookworm

mkdir -p /opt/hello
cp /bin/busybox /opt/hello/busybox
app fb <<'T'
[image]
file = "fb"
fallback = "/opt/hello"
[service]
type = "oneshot"
exec = ["/busybox", "sh", "-c", "echo running from the fallback"]
[service.directives]
RemainAfterExit = true
T
snapshot
reload
verify_units
start fb
journal_has app@fb "running from the fallback"
journal_has app@fb "/opt/hello"
stop fb
nothing_left

# With the image there, the fallback is not looked at.
image fb
sed -i 's#"/busybox"#"/bin/busybox"#; s/the fallback/the image/' "$APPS/fb.toml"
reload
snapshot
start fb
journal_has app@fb "running from the image"
stop fb
nothing_left

# A side file that is missing, or an image that does not verify, is no reason to fall back.
rm "$STORE/fb.roothash"
sed -i 's#"/bin/busybox"#"/busybox"#' "$APPS/fb.toml"
reload
fails_with "" systemctl start app@fb
image fb
printf x | dd of="$STORE/fb.raw" bs=1 seek=1100 conv=notrunc status=none
fails_with "" systemctl start app@fb
has "$(unit_journal app@fb)" "fb.raw" || fail "the image is not named"
rm -rf /opt/hello
nothing_left
