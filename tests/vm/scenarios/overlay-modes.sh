# What it shows: where writes to an app's root go in each overlay mode, and how long they stay.
# Container: yes

for id in none volatile persistent; do
	image "$id"
	app "$id" <<T
[image]
file = "$id"
[overlay]
mode = "$id"
[service]
user = "root"
profile = "trusted"
exec = ["/bin/sleep", "inf"]
T
done
snapshot
reload
verify_units
start none volatile persistent
inside() { echo "/run/veneer/apps/$1/root/srv/www/$2"; }

fails_with "Read-only file system" touch "$(inside none new)"
for id in volatile persistent; do
	echo changed >"$(inside "$id" index.html)"
	rm "/run/veneer/apps/$id/root/bin/wget"
	expect "$(cat "/run/veneer/apps/$id/image/srv/www/index.html")" "hello from inside a verified image"
done

# A restart keeps the mounts, so it keeps what was written.
restart volatile persistent
expect "$(cat "$(inside volatile index.html)")" changed
# A stop does not.
stop none volatile persistent
nothing_left_but_overlays() {
	state_of_host >/run/veneer-test/now
	diff /run/veneer-test/snapshot /run/veneer-test/now
}
eventually 10 nothing_left_but_overlays
start volatile persistent
expect "$(cat "$(inside volatile index.html)")" "hello from inside a verified image"
expect "$(cat "$(inside persistent index.html)")" changed
[ ! -e /run/veneer/apps/persistent/root/bin/wget ] || fail "a deletion came back"

# The writable side is its own tmpfs with its own limit.
stop volatile
sed -i 's/mode = "volatile"/mode = "volatile"\nsize = "1M"/' "$APPS/volatile.toml"
reload
start volatile
fails_with "No space left" dd if=/dev/zero of="$(inside volatile big)" bs=1M count=4
stop volatile persistent
eventually 10 test ! -e /run/veneer/apps/persistent
/usr/libexec/veneer/veneer-overlay reset persistent
start persistent
expect "$(cat "$(inside persistent index.html)")" "hello from inside a verified image"
stop persistent
nothing_left
