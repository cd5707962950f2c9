# What it shows: sessions that cannot be say why and leave nothing; what a killed helper leaves is found, shown and removed, unless it is in use.
# Container: yes
# Once: trixie
# Timeout: 600

seed=/run/veneer-test/seed
mkdir -p "$seed"
head -c 24M /dev/urandom >"$seed/data"
veneer image convert "dir:$seed" --format=ext4 --size=40M --output="$STORE/big" 2>/dev/null
# session_app ID LINE...: an app with sessions of that image.
session_app() {
	local id=$1
	shift
	{
		printf '[image]\nfile = "big"\ntype = "ext4"\n[session]\nkind = "image"\n'
		printf '%s\n' "$@"
		printf '[service]\nexec = ["/sbin/init"]\n'
	} | app "$id"
}
session_app plain 'reflink = "never"'
session_app must 'reflink = "always"'
settings() { mkdir -p /etc/veneer && printf '%s\n' "$@" >/etc/veneer/veneer.toml; }
settings '[session]' 'limit = 2'
reload
snapshot
unit() { echo "veneer-clone-$1@$2.service"; }
has "$(veneer session create plain --dry-run --json=short)" '"unit":"veneer-clone-plain@' || fail "a dry run is no JSON"
# refused ID NAME TEXT: it is not made, its journal says why, and nothing of it is left.
refused() {
	fails_with failed systemctl start "$(unit "$1" "$2")"
	journal_has "$(unit "$1" "$2")" "$3"
	nothing_left
}

# A file system that cannot share, where that must be; doctor says so beforehand.
refused must one 'sharing its data (reflink): the file system cannot'
fails_with 'no session of must can be made: reflink = "always"' veneer doctor
rm "$APPS/must.toml"
has "$(veneer doctor)" 'is on ext4, which shares no data' || fail "doctor does not say what copies cost"

# No more of all apps together than there may be.
session_app other
reload
systemctl start "$(unit plain one)" "$(unit other one)"
fails_with failed systemctl start "$(unit other two)"
journal_has "$(unit other two)" 'there are 2 sessions of all apps, as many as there may be'
systemctl stop "$(unit plain one)" "$(unit other one)"
nothing_left
# Of many, those that could be made are there, and are named.
code=0
veneer session create plain --count=3 >/run/veneer-test/made 2>/run/veneer-test/said || code=$?
expect "$code $(wc -l </run/veneer-test/made)" '1 2'
expect "$(awk '{ print $1 }' /run/veneer-test/made | sort)" "$(veneer session list plain --json=short | grep -o '"session":"[^"]*' | cut -d'"' -f4 | sort)"
has "$(cat /run/veneer-test/said)" '1 of 3 sessions could not be made; the journal says why: journalctl -u veneer-clone-plain@' || fail "$(cat /run/veneer-test/said)"
veneer session remove plain --all
nothing_left

# The disk is full in the middle of the copy.
small=/run/veneer-test/small
mkdir -p "$small"
truncate -s 20M "$small.ext4"
mkfs.ext4 -q "$small.ext4"
mount -o loop "$small.ext4" "$small"
settings '[session]' "directory = \"$small/sessions\""
reload
snapshot
refused plain full 'No space left on device'
expect "$(find "$small/sessions" -mindepth 1)" ''
umount "$small"
rm /etc/veneer/veneer.toml "$small.ext4"
reload
snapshot

# The helper is killed in the middle of the copy.
copy=/var/lib/veneer/sessions/plain/killed/disk.raw
procs=/sys/fs/cgroup/system.slice/system-veneer'\x2dclone\x2dplain'.slice/veneer-clone-plain@killed.service/cgroup.procs
for _ in 1 2 3 4 5; do
	systemctl start --no-block "$(unit plain killed)"
	end=$((SECONDS + 10))
	until [ -e "$copy" ] || [ "$SECONDS" -ge "$end" ]; do :; done
	if read -r pid <"$procs" && kill -KILL "$pid"; then killed=yes; fi 2>/dev/null
	systemctl stop "$(unit plain killed)"
	nothing_left
	[ -z "${killed:-}" ] || break
done
journal_has "$(unit plain killed)" 'code=killed, status=9/KILL'

# So is the one that removes: without it, the session is a leftover.
over=/run/systemd/system/$(unit plain left).d
mkdir -p "$over"
printf '[Service]\nExecStopPost=\n' >"$over/none.conf"
reload
systemctl start "$(unit plain left)" "$(unit plain kept)"
systemctl stop "$(unit plain left)"
rm -r "$over"
reload
has "$(veneer session list)" 'left over' || fail "it is not shown as left over"
disk=/run/veneer/sessions/plain/left/disk.raw
tail -f "$disk" >/dev/null &
has "$(veneer session gc --dry-run)" "keep plain left: process $! has it open" || fail "$(veneer session gc --dry-run)"
kill $!
wait $! || :
loop=$(losetup -f --show "$disk")
has "$(veneer session gc --dry-run)" "keep plain left: $loop reads it" || fail "$(veneer session gc --dry-run)"
veneer session gc
[ -e "$disk" ] || fail "what is in use was removed"
losetup -d "$loop"
touch /var/lib/veneer/sessions/plain/notes
said=$(veneer session gc --dry-run)
expect "$said" "keep plain kept: its unit is active
remove plain left: nobody uses it
leave /var/lib/veneer/sessions/plain/notes: it is no directory"
veneer session gc
[ ! -e /run/veneer/sessions/plain/left ] || fail "it is there"
rm /var/lib/veneer/sessions/plain/notes
# A removed session's name is free again, and what lives was left alone.
systemctl is-active --quiet "$(unit plain kept)"
[ -s /run/veneer/sessions/plain/kept/disk.raw ] || fail "a living session was reaped"
systemctl stop "$(unit plain kept)"
nothing_left
