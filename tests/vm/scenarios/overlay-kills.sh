# What it shows: an act that is killed at any moment is finished or undone, and nothing that was written is lost.
# Container: yes
# Timeout: 600

count=$(scale 12)
target=/usr/share/veneer-kills
mkdir -p "$target/t" "$target/p" /root/kills
echo base >"$target/t/file"
echo base >"$target/p/file"
for number in $(seq 1 50); do head -c 20000 /dev/zero >"/root/kills/$number"; done
echo source >/root/kills/file
# Most acts take no longer: in an emulated guest some three times as long as natively.
longest=800
[ -z "${CONTAINER:-}" ] || longest=250
snapshot
apply() { veneer overlay apply "kill-$1" /root/kills "$target/$1" --writable --size=4M "${@:2}"; }
apply p --persistent >/dev/null
echo precious >"$target/p/precious"

# agree: what list says, what is mounted and what is on the disk are one.
agree() {
	local name state mounted
	# It is for once a boot; here it is started over and over.
	systemctl reset-failed veneer-overlay-recover.service
	systemctl restart veneer-overlay-recover.service
	for name in t p; do
		state=$(veneer overlay list | awk -v n="kill-$name" '$1 == n { print $2 }')
		mounted=$(findmnt -rn -o TARGET | grep -c "^$target/$name$" || :)
		case $state/$mounted in
			/0 | active/1) ;;
			*) fail "$1: kill-$name is '$state' and mounted $mounted times" ;;
		esac
		[ -n "$state" ] || [ ! -e "/run/veneer/overlays/kill-$name" ] || fail "$1: orphan of kill-$name"
		[ "$(find "$target/$name" -name file | wc -l)" = 1 ] || fail "$1: half a tree in $target/$name"
	done
	expect "$(cat "$target/p/precious")" precious
}

for number in $(seq 1 "$count"); do
	case $((number % 4)) in
		0) act="veneer overlay remove kill-t" ;;
		1) act="veneer overlay apply kill-t /root/kills $target/t --writable --size=4M" ;;
		2) act="veneer overlay reset kill-t" ;;
		3) act="veneer overlay commit kill-t --output=$STORE/kills" ;;
	esac
	[ $((number % 4)) = 1 ] || veneer overlay list | grep -q '^kill-t ' || apply t >/dev/null
	$act >/dev/null 2>&1 &
	victim=$!
	sleep "0.$(printf %03d $((RANDOM % longest)))"
	kill -KILL "$victim" 2>/dev/null || :
	wait "$victim" 2>/dev/null || :
	agree "kill $number of $act"
done
note "$count kills"
veneer overlay list | grep -q '^kill-t ' && veneer overlay remove kill-t >/dev/null
veneer overlay remove kill-p >/dev/null
rm -f "$STORE"/kills.* "$STORE"/.kills.*
nothing_left
