# What it shows: kills of veneer-verity, of mount and of the app at random moments leave nothing behind.
# Once: trixie
# Timeout: 3600

hello_app k 'sleep 1000' volatile
reload
snapshot
RANDOM=7
rm -f /run/veneer-test/killed
pause() { sleep "0.$(printf %03d $((RANDOM % $1)))"; }

# The units' own cgroups; without a process of its own for each look, which takes longer than what is to be killed.
cgroups=/sys/fs/cgroup/system.slice
lists=("$cgroups"/system-veneer'\x2d'{verity,overlay}.slice/veneer-{verity,overlay}@k.service/cgroup.procs
	"$cgroups"/run-veneer-apps-k-{image,rw,root}.mount/cgroup.procs)

# Whatever has this name, as soon as it is there and a little later.
kill_one() {
	local name=$1 end=$((SECONDS + 3)) list pid comm
	while [ "$SECONDS" -lt "$end" ]; do
		for list in "${lists[@]}"; do
			{ read -r pid <"$list" && read -r comm <"/proc/$pid/comm"; } 2>/dev/null || continue
			[ "$comm" = "$name" ] || continue
			pause 30
			if kill -KILL "$pid" 2>/dev/null; then echo "$name" >>/run/veneer-test/killed; fi
			return 0
		done
	done
}

kills=0
# round NAME: once while starting, perhaps once while stopping.
round() {
	local killer
	kill_one "$1" &
	killer=$!
	systemctl start app@k 2>/dev/null || :
	if [ $((RANDOM % 2)) = 0 ]; then kill_one "$1" & fi
	systemctl stop app@k 2>/dev/null || :
	systemctl reset-failed 2>/dev/null || :
	wait "$killer" 2>/dev/null || :
	wait
	kills=$((kills + 1))
	nothing_left
}
touch /run/veneer-test/killed
for name in veneer-verity mount umount veneer-overlay; do
	for _ in $(seq "$(scale 2)"); do round "$name"; done
done
# On a busy machine each may have ended before it was found.
for _ in 1 2 3 4 5; do [ -s /run/veneer-test/killed ] || round veneer-verity; done
for _ in $(seq "$(scale 2)"); do
	systemctl start app@k
	pause 500
	systemctl kill -s KILL app@k
	pause 300
	systemctl stop app@k 2>/dev/null || :
	systemctl reset-failed 2>/dev/null || :
	kills=$((kills + 1))
	nothing_left
done
killed=$(sort /run/veneer-test/killed | uniq -c | awk '{ printf "%s %s, ", $1, $2 }')
[ -n "$killed" ] || fail "nothing was ever killed"
note "$kills rounds; killed: ${killed%, }"
start k
stop k
nothing_left
