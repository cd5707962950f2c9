# What it shows: what an admin sees of a running, a stale, a broken and a failed app, and that doctor is content.
# Once: bookworm
# Timeout: 600

image hello
app hello <<'T'
[app]
description = "Hello"
[image]
file = "hello"
[overlay]
mode = "volatile"
size = "16M"
[service]
exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
[service.directives]
MemoryMax = "64M"
T
reload
echo "--- status, stopped"
veneer status hello && fail "status of a stopped app ends with 3" || expect $? 3
start hello
echo "--- status"
veneer status hello
has "$(veneer status hello)" "integrity only" || fail "status does not say what was verified"
has "$(veneer status)" "$(roothash hello)" || fail "status does not show the root hash"
has "$(veneer status hello)" "erofs, ro, from /" || fail "status does not show the image's mount"
has "$(veneer status hello)" "(veneer-hello-" || fail "status does not show the device"
has "$(veneer status --json=short hello)" '"shown":"integrity"' || fail "JSON does not say what was verified"
echo "--- list"
veneer list
has "$(veneer list)" "● hello  active  verity  no" || fail "list does not show hello as active"
has "$(veneer list --json=short)" '"state":"active"' || fail "JSON does not say that it is active"

echo "--- cat"
veneer cat hello | grep '^# /'
has "$(veneer cat hello)" "ExecStart=/bin/httpd -f" || fail "cat does not show the drop-in"
for unit in app@.service veneer-verity@hello.service veneer-verity@.service.d/10-veneer.conf veneer-overlay@.service; do
	has "$(veneer cat hello)" "/$unit" || fail "cat does not show $unit"
done

echo "--- why"
mkdir -p /etc/systemd/system/app@hello.service.d
printf '[Service]\nMemoryMax=128M\n' >/etc/systemd/system/app@hello.service.d/override.conf
reload
veneer why hello MemoryMax
has "$(veneer why hello MemoryMax)" "hello.toml:11:13  service.directives.MemoryMax" || fail "no key"
has "$(veneer why hello MemoryMax)" "override.conf:2: MemoryMax=128M  (read last)" || fail "the override is not told"
has "$(veneer why hello RootDirectory)" 'image.file = "hello"' || fail "no key for RootDirectory"
fails_with 'did you mean "hello"?' veneer why helo

echo "--- stale"
[ -z "$(veneer diff)" ] || fail "a diff right after a reload: $(veneer diff)"
sed -i 's/16M/32M/' "$APPS/hello.toml"
veneer diff
has "$(veneer diff)" "+Options=" || fail "diff does not show the new size"
has "$(veneer reload --dry-run)" "would run systemctl daemon-reload" || fail "no dry run"
veneer reload
has "$(veneer status hello)" "Stale: its configuration has changed" || fail "status does not say that it is stale"
veneer status hello
stop hello
eventually 10 sh -c '! test -e /run/veneer/live/hello'

echo "--- failed"
printf x | dd of="$STORE/hello.raw" bs=1 seek=1100 conv=notrunc status=none
fails_with "" systemctl start app@hello
veneer status hello && fail "a failed app has status 0" || expect $? 3
has "$(veneer status hello)" "hello.raw" || fail "status does not name the image"
has "$(veneer status hello)" "× hello" || fail "status does not show it as failed"

echo "--- check"
app broken <<'T'
[image]
file = "hello"
requir = "signed"
[service]
exec = ["/bin/true"]
T
veneer check && fail "check found nothing" || expect $? 78
has "$(veneer check)" 'broken.toml:3:1: error: image.requir: ' || fail "no place"
has "$(veneer check --json=short)" '"line":3,"column":1' || fail "no place in JSON"
fails_with "is broken" veneer enable broken
veneer list || :
rm "$APPS/broken.toml"

echo "--- doctor"
image hello
reload
systemctl reset-failed
veneer doctor || :
has "$(veneer doctor)" FAIL && fail "doctor finds fault with the guest" || :
has "$(veneer doctor)" "systemd-veritysetup is not needed" || fail "doctor says nothing of dm-verity"
chmod g+w /var/lib/veneer/images
has "$(veneer doctor)" "FAIL  permissions" || fail "doctor does not see who may write to the store"
chmod g-w /var/lib/veneer/images
rm -r /etc/systemd/system/app@hello.service.d
