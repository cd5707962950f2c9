# What it shows: each app in examples/ starts and does what it says, as it is shipped.
# Once: bookworm
# Timeout: 300

examples=$TEST_DIR/examples
for name in hello wiki sensor cache payroll answer report web; do image "$name"; done
mkdir -p /opt/hello /srv/site/srv/www
images_mount
mount -o loop,ro "$STORE/hello.raw" /mnt
cp -a /mnt/. /opt/hello/
umount /mnt
echo "the site" >/srv/site/srv/www/index.html
trust_test_key
snapshot
mkdir -p "$APPS" /etc/veneer/templates.d
cp "$examples"/templates.d/*.toml /etc/veneer/templates.d/
for file in "$examples"/*.toml; do
	[ "$(basename "$file")" = veneer.toml ] || cp "$file" "$APPS/"
done
# The one thing that nobody can know beforehand.
sed -i "s/^root-hash = .*/root-hash = \"$(roothash sensor)\"/" "$APPS/pinned.toml"
veneer check
reload
verify_units

# serves ID PORT TEXT
serves() {
	start "$1"
	eventually 10 get "$2"
	has "$(get "$2")" "$3" || fail "$1 says: $(get "$2")"
	stop "$1"
}
serves hello 8080 "hello from inside a verified image"
serves directory 8080 "hello from inside a verified image"
serves fallback 8080 "hello from inside a verified image"
serves persistent 8082 "hello from inside a verified image"
serves pinned 8085 "hello from inside a verified image"
start signed
has "$(systemctl show -P After app@signed)" app@hello.service || fail "signed is not ordered after hello"
eventually 10 get 8084
stop signed
serves web "$(grep -oE '[0-9]{4}' /etc/veneer/templates.d/web.toml | head -n 1)" "the site"
start scratch
[ "$(systemctl show -P MemoryMax app@scratch)" = $((128 << 20)) ] || fail "no memory limit"
stop scratch
systemctl start app-socket.socket
answered() { has "$(get 8081)" "answer from uid"; }
eventually 30 answered
systemctl stop app-socket.socket app@socket
systemctl start app-timer.timer
start timer
has "$(cat /var/lib/private/veneer/state/timer/report)" "uid=" || fail "no report"
systemctl stop app-timer.timer app@timer
rm -rf /opt/hello /srv/site
systemctl clean --what=state app@timer app@scratch 2>/dev/null || :
rm -rf /var/lib/veneer/overlays/persistent
nothing_left

# veneer.toml's policy refuses what shows less, and says where it stands.
cp "$examples/veneer.toml" /etc/veneer/
fails_with "veneer.toml" veneer check "$APPS/directory.toml"
