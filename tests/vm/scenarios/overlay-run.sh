# What it shows: any user runs a command under an overlay that nobody else sees, and nothing is left of it.
# Container: yes
# Timeout: 60

id veneer-u >/dev/null 2>&1 || useradd --create-home veneer-u
# Everybody may do this: not only whoever has a login session.
user() { setpriv --reuid=veneer-u --regid=veneer-u --init-groups env HOME=/home/veneer-u "$@"; }
home=/home/veneer-u/overlay-run
target=/usr/share/veneer-run
rm -rf "$home" "$target"
mkdir -p "$target/both"
echo base >"$target/greeting"
echo base >"$target/other"
user mkdir -p "$home/source/both" "$home/kept"
user sh -c "echo mine >$home/source/greeting; echo 'new' >$home/source/both/new"
run() { user veneer overlay run --source="$home/source" --target="$target" "$@"; }
snapshot
before=$(find "$target" -printf '%p %m %u %s %T@\n' | sort)

expect "$(run -- sh -c "cat $target/greeting $target/other $target/both/new" | paste -sd ' ')" "mine base new"
expect "$(cat "$target/greeting")" base
# The command is the process: its code, its signals, its directory.
code=0 && run -- sh -c 'exit 42' || code=$?
expect "$code" 42
code=0 && run -- sh -c 'kill -KILL $$' || code=$?
expect "$code" 137
code=0 && run -- /no/such/program || code=$?
expect "$code" 127
expect "$(cd "$target" && run -- cat greeting)" mine
# As the same user, without any privilege.
expect "$(run -- sh -c 'id -u; id -g; sed -n "s/CapEff:.//p" /proc/self/status' | paste -sd ' ')" \
	"$(id -u veneer-u) $(id -g veneer-u) 0000000000000000"
# Written, seen, gone.
expect "$(run -- sh -c "echo w >$target/both/w && rm $target/both/new && ls $target/both")" w
# Kept, and there again; not twice at once.
run --keep="$home/kept" -- sh -c "echo kept >$target/both/k"
expect "$(run --keep="$home/kept" -- cat "$target/both/k")" kept
run --keep="$home/kept" -- sh -c "touch $home/holds; sleep 5" &
holder=$!
eventually 5 test -e "$home/holds"
fails_with "another command keeps its changes" run --keep="$home/kept" -- true
kill "$holder" 2>/dev/null || :
wait "$holder" || :
fails_with "Read-only" run --read-only -- touch "$target/both/x"
expect "$(user veneer overlay run --source="$home/source/greeting" --target="$target/other" -- cat "$target/other")" mine
# What cannot be is one line.
fails_with "would be hidden" user veneer overlay run --source="$home/source" --target=/ -- true
fails_with "No such file" user veneer overlay run --source=/nowhere --target="$target" -- true
fails_with "over a directory" user veneer overlay run --source="$home/source/greeting" --target="$target" -- true
# Where it is switched off, the switch is named.
if most=$(cat /proc/sys/user/max_user_namespaces) && echo 0 2>/dev/null >/proc/sys/user/max_user_namespaces; then
	fails_with "user.max_user_namespaces is 0" run -- true
	echo "$most" >/proc/sys/user/max_user_namespaces
fi
# Root's own needs no user namespace, and is as alone.
expect "$(veneer overlay run --source="$home/source" --target="$target" -- sh -c "touch $target/by-root; cat $target/greeting")" mine
# Killed with all its children: nothing stays.
run -- sh -c 'sleep 60 & sleep 60' &
victim=$!
eventually 5 pgrep -P "$victim"
kill -KILL "$victim"
wait "$victim" || :
pkill -u veneer-u sleep || :
expect "$(find "$target" -printf '%p %m %u %s %T@\n' | sort)" "$before"
nothing_left
rm -rf "$home" "$target"
