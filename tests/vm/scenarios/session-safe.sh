# What it shows: nothing but sessions' own data is ever deleted, other users cannot reach into sessions, and machines of other users still can have their disks.
# Container: yes
# Timeout: 180

mkdir -p /opt/safe/bin
install -m 4755 /bin/busybox /opt/safe/bin/busybox
ln -s busybox /opt/safe/bin/sleep
app safe <<'T'
[image]
directory = "/opt/safe"
[session]
kind = "tree"
[service]
exec = ["/bin/sleep", "infinity"]
T
# Somebody has put sessions where others' files are: a session of the name, the place of an app, and files.
shared=/srv/shared
mkdir -p "$shared/alice/Documents" "$shared/safe/letters" "$shared/safe/empty"
echo dear | tee "$shared/alice/Documents/letter" "$shared/safe/letters/letter" >"$shared/notes"
chown -R nobody: "$shared/alice"
find "$shared" | sort >/run/veneer-test/shared
settings() { mkdir -p /etc/veneer && printf '[session]\ndirectory = "%s"\n' "$1" >/etc/veneer/veneer.toml; }
unchanged() { expect "$(find "$shared" | sort)" "$(cat /run/veneer-test/shared)"; }
unit() { echo "veneer-clone-safe@$1.service"; }

settings /home
fails_with '/etc/veneer/veneer.toml:2:13: error: session.directory: /home has what is others' veneer check
settings "$shared"
reload
has "$(veneer session gc --dry-run)" "leave $shared/safe/letters: it has no mark of a session's"
has "$(veneer session gc --dry-run)" "leave $shared/alice: it belongs to uid 65534"
veneer session gc
systemctl start veneer-session-reap.service
journal_has veneer-session-reap.service "$shared/safe/letters lies where sessions are kept and is none: it has no mark of a session's; it is left alone"
unchanged
fails_with failed systemctl start "$(unit letters)"
journal_has "$(unit letters)" "$shared/safe/letters is there already and no session's (it has no mark of a session's)"
unchanged

# One that is ours among them goes, also when a crash left it, and with nothing of what is mounted in it.
systemctl start "$(unit mine)"
mkdir "$shared/safe/mine/root/home"
mount --bind "$shared/alice" "$shared/safe/mine/root/home"
fails_with 'home: it is a mount, and left alone' /usr/libexec/veneer/veneer-clone remove safe mine
umount "$shared/safe/mine/root/home"
mkdir -p "/run/systemd/system/$(unit mine).d"
printf '[Service]\nExecStopPost=\n' >"/run/systemd/system/$(unit mine).d/none.conf"
reload
systemctl stop "$(unit mine)"
rm -r /run/veneer/sessions/safe "/run/systemd/system/$(unit mine).d"
reload
[ -e "$shared/safe/mine" ] || fail "there is nothing to reap"
has "$(veneer session gc --dry-run)" "remove safe mine: nobody uses it"
systemctl start veneer-session-reap.service
unchanged
rm -r "$shared" /etc/veneer/veneer.toml
reload
snapshot

# Nobody else reaches into a session, by neither of its paths; its own program does.
# By a shell: setpriv itself still has what root may while it looks for a program.
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups sh -c '"$@"' sh "$@"; }
systemctl start app-session-safe@one.service || fail "$(unit_journal app-session-safe@one.service)"
for place in /run/veneer/sessions/safe/one/root /var/lib/veneer/sessions/safe/one/root; do
	expect "$(stat -c %a "$place/bin/busybox")" 4755
	fails_with 'Permission denied' as_nobody "$place/bin/busybox" true
	fails_with 'Permission denied' as_nobody ls "$place"
done
systemctl stop app-session-safe@one.service
nothing_left

# A unit of another user is given its disk by systemd, which is root.
veneer image convert "dir:$TEST_DIR/scenarios" --format=ext4 --size=32M --output="$STORE/disk" >/dev/null 2>&1
app disk <<'T'
[image]
file = "disk"
type = "ext4"
[session]
kind = "image"
[service]
exec = ["/sbin/init"]
T
cat >/run/systemd/system/machine@.service <<'U'
[Unit]
BindsTo=veneer-clone-disk@%i.service
After=veneer-clone-disk@%i.service
PropagatesStopTo=veneer-clone-disk@%i.service
[Service]
Type=oneshot
RemainAfterExit=yes
User=nobody
RuntimeDirectory=machine/%i
ExecStartPre=+/bin/chown nobody: /run/veneer/sessions/disk/%i/disk.raw
BindPaths=/run/veneer/sessions/disk/%i/disk.raw:/run/machine/%i/disk.raw
ExecStart=/bin/sh -c 'echo written by $$(id -un) | dd of=/run/machine/%i/disk.raw conv=notrunc status=none'
U
reload
snapshot
systemctl start machine@one.service || fail "$(unit_journal machine@one.service)"
expect "$(head -c 17 /run/veneer/sessions/disk/one/disk.raw)" 'written by nobody'
systemctl stop machine@one.service
nothing_left
rm /run/systemd/system/machine@.service

# What the mount of its data keeps programs from, a session's root does, too.
mkdir /srv/closed
mount -t tmpfs -o mode=0755,noexec tmpfs /srv/closed
settings /srv/closed/sessions
reload
snapshot
systemctl start "$(unit closed)"
found=$(findmnt -rno OPTIONS /run/veneer/sessions/safe/closed/root)
for option in nosuid nodev noexec; do has ",$found," ",$option," || fail "no $option: $found"; done
systemctl stop "$(unit closed)"
nothing_left
umount /srv/closed
rm -r /srv/closed /etc/veneer/veneer.toml
reload
rm -r /opt/safe
