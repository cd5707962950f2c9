# What it shows: an app whose image was replaced does not start over the heads of its sessions, and a session goes with its program though the app's file is gone.
# Container: yes
# Timeout: 180

image over
app over <<'T'
[image]
file = "over"
[session]
[service]
exec = ["/bin/sleep", "infinity"]
T
reload
snapshot
unit() { echo "veneer-clone-over@$1.service"; }
start over
systemctl start "$(unit one)" app-session-over@two.service
echo precious >/run/veneer/sessions/over/one/root/srv/work

# A new image, as a package manager puts it; the app has no way to it but over its sessions.
image new full
for side in raw verity roothash; do mv "$STORE/new.$side" "$STORE/over.$side"; done
fails_with '' systemctl restart app@over
! running over || fail "it runs"
journal_has app@over "$STORE/over.raw was replaced since it was mounted, and sessions are over it (one, two); it has sessions: stop them first"
expect "$(cat /run/veneer/sessions/over/one/root/srv/work)" precious
systemctl is-active --quiet app-session-over@two.service "$(unit two)" || fail "a session was stopped"
fails_with '' systemctl start app@over
veneer session remove over --all
start over
[ -d /run/veneer/apps/over/image/proc ] || fail "the old image is mounted"
stop over
nothing_left

# A directory's copy has no chain and no mark of its app; its template stays for as long as it is there.
mkdir -p /opt/gone/bin
cp /bin/busybox /opt/gone/bin/sleep
app gone <<'T'
[image]
directory = "/opt/gone"
[session]
kind = "tree"
[service]
exec = ["/bin/sleep", "infinity"]
T
reload
snapshot
systemctl start app-session-gone@one.service app-session-gone@two.service
rm "$APPS/gone.toml"
reload
systemctl is-active --quiet app-session-gone@one.service || fail "the reload stopped a session"
verify_units
systemctl stop app-session-gone@one.service
systemctl kill --signal=KILL app-session-gone@two.service
nothing_left
reload
[ ! -e /run/systemd/generator/app-session-gone@.service ] || fail "the template of no session is there"
rm -r /opt/gone
