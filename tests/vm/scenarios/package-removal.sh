# What it shows: removing Veneer's package with apps, sessions and overlays up leaves nothing mounted and takes nothing away
# that was written; installing it needs no reboot.
# Container: yes
# Timeout: 180

. "$TEST_DIR/package.sh"
package_save
trap package_restore EXIT

mounts_and_devices() {
	findmnt -rn -o TARGET | grep /veneer/ | grep -v /run/veneer-test || :
	losetup -ln -O BACK-FILE
	dmsetup ls | grep -v '^No devices' || :
}

package=$(package_build 1)
dpkg -i "$package"
for id in plain waiting timed; do
	image "$id"
	app "$id" <<-TOML
		[image]
		file = "/var/lib/veneer/images/$id.raw"
		[overlay]
		mode = "volatile"
		[service]
		exec = ["/bin/sleep", "1000"]
		state = true
	TOML
done
echo 'listen = ["8090"]' >>"$APPS/waiting.toml"
echo 'schedule = "daily"' >>"$APPS/timed.toml"
mkdir -p /opt/copied /root/over /usr/share/veneer-removal/{kept,passing}
echo 1 >/opt/copied/file
app copied <<-TOML
	[image]
	directory = "/opt/copied"
	[session]
	kind = "tree"
	[service]
	exec = ["/bin/true"]
TOML
reload
mounts_and_devices >/run/veneer-test/none
veneer overlay apply kept /root/over /usr/share/veneer-removal/kept --writable --persistent --size=4M
veneer overlay apply passing /root/over /usr/share/veneer-removal/passing --writable --size=4M
echo precious >/usr/share/veneer-removal/kept/file
systemctl start veneer-clone-copied@one.service
start plain
systemctl start app-waiting.socket app-timed.timer
timeout 5 busybox nc 127.0.0.1 8090 </dev/null || :
eventually 10 running waiting

dpkg -r veneer
mounts_and_devices | diff /run/veneer-test/none - || fail "removal left this behind"
[ ! -e /run/veneer ] || fail "removal left /run/veneer: $(find /run/veneer)"
[ ! -e /usr/libexec/veneer ] || fail "removal left programs"
[ -f "$STORE/plain.raw" ] || fail "removal took the admin's images away"
[ -f "$APPS/plain.toml" ] || fail "removal took the admin's apps away"
[ -z "$(ls /var/lib/veneer/sessions/copied 2>/dev/null)" ] || fail "removal left a session behind"
[ -z "$(ls -A /usr/share/veneer-removal/kept)" ] || fail "removal left an overlay over the host"
for unit in app@plain.service app-waiting.socket app-timed.timer; do
	! systemctl is-active --quiet "$unit" || fail "$unit is still active"
done
fails_with 'not found' systemctl start app@plain.service
[ -z "$(systemctl list-units --failed --no-legend '*veneer*' 'app@*')" ] || fail "$(systemctl list-units --failed)"

# Installed on a system that runs: no reboot needed.
dpkg -i "$package"
start plain
running plain
systemctl start veneer-overlay-recover.service
expect "$(cat /usr/share/veneer-removal/kept/file)" precious
expect "$(veneer overlay list | awk 'NR > 1 { print $1 }')" kept
veneer overlay remove kept
stop plain
eventually 10 test ! -e /run/veneer/apps/plain
mounts_and_devices | diff /run/veneer-test/none - || fail "this was left behind"
