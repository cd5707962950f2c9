# What it shows: over a hundred hostile requests of a user, each refused with its reason, and the host unchanged.
# Container: yes
# Once: trixie
# Timeout: 600

for user in veneer-h veneer-v; do
	id "$user" >/dev/null 2>&1 || useradd --create-home "$user"
done
as() { setpriv --reuid="$1" --regid="$1" --init-groups env HOME="/home/$1" "${@:2}"; }
target=/usr/share/veneer-hostile
home=/home/veneer-h/hostile
bad=$home/bad
umount "$bad/mounted/here" "$target-mount/here" 2>/dev/null || :
rm -rf "$target"* "$home" /tmp/veneer-hostile
mkdir -p "$target" "$target-other" "$target-theirs/below" "$target-around/in" "$target-mount/here" "$target-roots" /etc/polkit-1/rules.d
echo base >"$target/file"
install -d -m 1777 /tmp/veneer-hostile
cat >/etc/polkit-1/rules.d/50-veneer-test.rules <<'RULES'
polkit.addRule(function (action, subject) {
    if (action.id == "io.veneer.overlay.apply" && subject.user == "veneer-v")
        return polkit.Result.YES;
    if (action.id == "io.veneer.overlay.apply" && subject.user == "veneer-h" && action.lookup("access") == "read-only" &&
        (action.lookup("target") == "/usr/share/veneer-hostile" || action.lookup("target") == "/usr/share/veneer-hostile/file"))
        return polkit.Result.YES;
});
RULES
systemctl restart polkit
cat >/etc/veneer/veneer.toml <<'TOML'
[overlay]
count = 2
size = "16M"
files = 400
TOML

# What the requests name. Some of it only root could make; a user may find it all the same.
as veneer-h mkdir -p "$home/good" "$bad"
as veneer-h sh -c "echo fine >$home/good/file; ln -s /etc $home/to-etc; ln -s /run/veneer $home/to-ours"
for kind in setuid setgid writable fifo socket capability absolute climbing through secret hardlink closed mounted many \
	large sparse deep notgroup; do
	as veneer-h mkdir "$bad/$kind"
done
as veneer-h bash -s "$bad" <<'MAKE'
cd "$1"
cp /bin/true setuid/tool && chmod 4755 setuid/tool
cp /bin/true setgid/tool && chmod 2755 setgid/tool
echo x >writable/file && chmod 666 writable/file
mkfifo fifo/pipe
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket/here")'
ln -s /etc/shadow absolute/link
ln -s ../../../../etc climbing/link
mkdir -p through/a/b && ln -s .. through/z && ln -s ../../z/../../../etc through/a/b/link
echo x >closed/file && chmod 000 closed
mkdir mounted/here
for n in $(seq 500); do : >"many/$n"; done
dd if=/dev/zero of=large/file bs=1M count=17 status=none
truncate -s 1T sparse/file
cd deep && for n in $(seq 110); do mkdir d && cd d; done
MAKE
install -m 600 /dev/null "$bad/secret/file"
ln /etc/shadow "$bad/hardlink/file" 2>/dev/null || install -m 600 /dev/null "$bad/hardlink/file"
install -m 640 -g veneer-v /dev/null "$bad/notgroup/file"
cp /bin/true "$bad/capability/tool"
python3 -c 'import os,struct,sys; os.setxattr(sys.argv[1], "security.capability", struct.pack("<IIIII", 0x2000001, 1 << 21, 0, 0, 0))' \
	"$bad/capability/tool"
mount --bind /etc "$bad/mounted/here"
mount -t tmpfs tmpfs "$target-mount/here"
systemctl start veneer-overlay-request.socket
as veneer-v mkdir -p /home/veneer-v/source
as veneer-v sh -c 'echo theirs >/home/veneer-v/source/file'
as veneer-v veneer overlay apply victims /home/veneer-v/source "$target-theirs"
as veneer-v veneer overlay apply around /home/veneer-v/source "$target-around/in"
veneer overlay apply roots /home/veneer-v/source "$target-roots"

# Everything that a request could change, but for what comes and goes with the service.
state() {
	findmnt -rn -o TARGET,SOURCE,FSTYPE,OPTIONS | grep -vE '^/run/(credentials|user|systemd)' | sort
	find /var/lib/veneer /run/veneer -path /run/veneer/requests -prune -o \
		-path '/var/lib/veneer/requests/*' -empty -prune -o -printf '%p %y %m %u %s\n' | sort
	find "$target"* /etc -xdev -type f -printf '%p %m %u %s %T@\n' | sort
	find /run/systemd/system -name '*veneer*' | sort
}
state >/run/veneer-test/hostile-before
as veneer-h python3 "$TEST_DIR/hostile.py" "$home" "$target" victims || fail "see above"
state | diff /run/veneer-test/hostile-before - || fail "the host has changed"

# Twenty at once, for two that fit: exactly two.
race() {
	local n pids=()
	for n in $(seq 20); do mkdir -p "$target-race$n"; done
	as veneer-v veneer overlay remove victims
	as veneer-v veneer overlay remove around
	for n in $(seq 20); do
		(
			until said=$(as veneer-v veneer overlay apply "race$n" /home/veneer-v/source "$target-race$n" 2>&1); do
				# A connection too many is told to try again; that is not the limit this is about.
				has "$said" "at once" || { echo "$said"; exit 1; }
				sleep 0.2
			done
		) >"/run/veneer-test/race$n" 2>&1 &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || :; done
	veneer overlay list --json=short | grep -o '"race[0-9]*"' | sort -u | wc -l
}
expect "$(race | tail -n 1)" 2
has "$(cat /run/veneer-test/race*)" "veneer.toml allows 2" || fail "nobody was told of the limit: $(cat /run/veneer-test/race*)"

# A source that changes all the time: never what the user may not read, never outside of it.
as veneer-h sh -c "mkdir -p $home/moving/dir && echo mine >$home/moving/dir/shadow && ln -s /etc $home/link"
as veneer-h python3 - "$home" <<'SWAP' &
import os, sys, time
os.chdir(sys.argv[1])
end = time.time() + 8
while time.time() < end and not os.path.exists("stop"):
    try:
        os.rename("moving/dir", "away"); os.rename("link", "moving/dir")
        os.rename("moving/dir", "link"); os.rename("away", "moving/dir")
    except OSError:
        pass
SWAP
swapper=$!
for n in $(seq "$(scale 8)"); do
	if as veneer-h veneer overlay apply moving "$home/moving" "$target" >/dev/null 2>&1; then
		[ ! -L "$target/dir" ] || fail "a link that leads out was copied"
		case $(cat "$target/dir/shadow" 2>/dev/null) in mine | '') ;; *) fail "what the user may not read was copied" ;; esac
	fi
done
touch "$home/stop"
wait "$swapper" || :

# Many who only connect, or say nothing: others are served all the same.
as veneer-h python3 - <<'MANY' &
import socket, time
held = []
for n in range(40):
    try:
        c = socket.socket(socket.AF_UNIX); c.connect("/run/veneer/io.veneer.Overlay"); held.append(c)
    except OSError:
        break
time.sleep(4)
MANY
many=$!
sleep 1
eventually 20 as veneer-v sh -c 'veneer overlay remove "$(veneer overlay list --json=short | grep -o "race[0-9]*" | head -n 1)"'
wait "$many" || :

for name in $(veneer overlay list --json=short | grep -oE '"(race[0-9]+|moving|roots|victims|around)"' | tr -d '"' | sort -u); do
	veneer overlay remove "$name"
done
systemctl stop veneer-overlay-request.socket
eventually 20 sh -c '! systemctl --quiet is-active "veneer-overlay-request@*"'
umount "$bad/mounted/here" "$target-mount/here"
chmod 700 "$bad/closed"
rm -rf "$target"* "$home" /tmp/veneer-hostile /etc/polkit-1/rules.d/50-veneer-test.rules; rm -f /run/veneer/requests/*
