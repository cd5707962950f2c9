# What it shows: an app runs any number of times, each in a root and namespaces of its own over one verity device; what one writes, no other sees, and the last to stop leaves nothing.
# Once: trixie
# Timeout: 600

image over
# /bin/sh ends with 7 when it is told to stop.
app over <<'T'
[image]
file = "over"
[overlay]
writable = ["/data"]
[session]
[service]
exec = ["/bin/sh", "-c", "trap 'exit 7' TERM; echo $VENEER_SESSION | tee /data/who $STATE_DIRECTORY/who >/tmp/who; sleep 1000 & wait"]
state = true
[service.directives]
SuccessExitStatus = "7"
Slice = "veneer-try.slice"
T
mkdir -p /run/systemd/system/app-session-over@short.service.d
printf '[Service]\nRuntimeMaxSec=1\n' >/run/systemd/system/app-session-over@short.service.d/time.conf
snapshot
reload
unit() { echo "app-session-over@$1.service"; }
place=/run/veneer/sessions/over
declare -A pid
# found NAME...: the processes of these.
found() { for n in "$@"; do pid[$n]=$(systemctl show -P MainPID "$(unit "$n")"); done; }
# inside NAME FILE: as the session's program sees it.
inside() { cat "/proc/${pid[$1]}/root$2"; }
devices() { dmsetup ls | grep -c veneer || :; }
said_who() { for n in "$@"; do [ "$(inside "$n" /tmp/who)" = "$n" ] || return 1; done; }

systemctl start "$(unit one)" "$(unit two)" || fail "$(unit_journal "$(unit one)")"
found one two
eventually 5 said_who one two
journal_has veneer-clone-over@one.service "session one of over: an overlay over"
expect "$(devices)" 1
expect "$(findmnt -rn -o TARGET | grep -c "^/run/veneer/apps/over")" 1
has "$(veneer session list over)" "active"

# Each has a root, namespaces, /tmp and a state of its own, and is where its unit says.
for name in one two; do
	expect "$(inside "$name" /data/who) $(inside "$name" /var/lib/veneer/state/over/who)" "$name $name"
	expect "$(cat "$place/$name/root/data/who")" "$name"
	has "$(systemctl show -P ControlGroup "$(unit "$name")")" /veneer-try.slice/
done
for kind in mnt ipc user; do
	[ "$(readlink "/proc/${pid[one]}/ns/$kind")" != "$(readlink "/proc/${pid[two]}/ns/$kind")" ] || fail "they share a $kind namespace"
done
[ ! -e /var/lib/veneer/state/over ] || fail "a session has written where the app keeps its state"

# Other bytes in every file of two more roots: neither sees the other's, and the image is what it was.
digest() { (cd "$1" && find . -xdev -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }
base=$(digest /run/veneer/apps/over/image)
systemctl start veneer-clone-over@{red,blue}.service
python3 - "$place" red blue <<'PYTHON'
import os, sys
place, names = sys.argv[1], sys.argv[2:]
def files(name):
    for at, _, found in os.walk(f"{place}/{name}/root"):
        paths = [os.path.join(at, file) for file in found]
        yield from (path for path in paths if os.path.isfile(path) and not os.path.islink(path))
def pattern(name, size):
    return (name * size)[:size].encode()
for name in names:
    for path in list(files(name)):
        with open(path, "r+b") as file:
            file.write(pattern(name, os.path.getsize(path) + 5))
    with open(f"{place}/{name}/root/srv/new", "w") as file:
        file.write(name)
    os.rename(f"{place}/{name}/root/srv/www/index.html", f"{place}/{name}/root/srv/www/{name}.html")
for name in names:
    seen = 0
    for path in files(name):
        with open(path, "rb") as file:
            data = file.read()
        assert data == pattern(name, len(data)), path
        seen += 1
    assert seen > 3 and os.listdir(f"{place}/{name}/root/srv/www") == [f"{name}.html"], seen
PYTHON
expect "$(digest /run/veneer/apps/over/image)" "$base"
veneer image verify over >/dev/null
veneer session remove over red blue
systemctl start "$(unit three)"
found three
eventually 5 said_who three
expect "$(digest "$place/three/root/srv")" "$(digest /run/veneer/apps/over/image/srv)"

# The app itself beside them, on the same device; its stopping is not theirs.
start over
expect "$(devices)" 1
stop over
running_all() { systemctl is-active --quiet "$(unit one)" "$(unit two)" "$(unit three)"; }
running_all || fail "a session went with the app"

# Stopped (its exit code is a good one), killed, at its time's end: the copy goes with it, and the others stay.
systemctl stop "$(unit one)"
journal_has "$(unit one)" "Deactivated successfully"
eventually 10 test ! -e "$place/one"
systemctl kill --signal=KILL "$(unit three)"
eventually 10 test ! -e "$place/three"
systemctl start "$(unit short)"
eventually 10 test ! -e "$place/short"
journal_has "$(unit short)" "Service reached runtime time limit"
expect "$(inside two /tmp/who)" two
expect "$(devices)" 1

# The last takes the device along.
systemctl stop "$(unit two)"
rm -r /run/systemd/system/app-session-over@short.service.d
nothing_left
