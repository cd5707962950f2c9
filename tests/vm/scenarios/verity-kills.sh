# What it shows: kills of veneer-verity, of mount and of the app at random moments leave nothing behind.
# Timeout: 900

image k
app k <<'T'
[image]
file = "k"
[overlay]
mode = "volatile"
[service]
exec = ["/bin/sleep", "1000"]
T
reload
snapshot
RANDOM=7
rm -f /run/veneer-test/killed
pause() { sleep "0.$(printf %03d $((RANDOM % $1)))"; }

# By the units' own cgroups: a walk through all of /proc takes an emulated guest longer than what is to be killed.
pid_of() {
	local procs pid comm
	for procs in /sys/fs/cgroup/system.slice/{,*/}{veneer-*@k.service,run-veneer-apps-k-*.mount}/cgroup.procs; do
		{ read -r pid <"$procs" && read -r comm <"/proc/$pid/comm"; } 2>/dev/null || continue
		if [ "$comm" = "$1" ]; then
			echo "$pid"
			return
		fi
	done
}

# Whatever has this name, as soon as it is there and a little later.
kill_one() {
	local name=$1 tries=0 pid
	while [ "$tries" -lt 300 ]; do
		pid=$(pid_of "$name")
		if [ -n "$pid" ]; then
			pause 30
			if kill -KILL "$pid" 2>/dev/null; then echo "$name" >>/run/veneer-test/killed; fi
			return 0
		fi
		tries=$((tries + 1))
		sleep 0.005
	done
}

kills=0
# Once while starting, once while stopping.
for name in veneer-verity mount umount veneer-overlay; do
	for _ in $(seq "$(scale 4)"); do
		kill_one "$name" &
		killer=$!
		systemctl start app@k 2>/dev/null || :
		if [ $((RANDOM % 2)) = 0 ]; then kill_one "$name" & fi
		systemctl stop app@k 2>/dev/null || :
		systemctl reset-failed 2>/dev/null || :
		wait "$killer" 2>/dev/null || :
		wait
		kills=$((kills + 1))
		nothing_left
	done
done
for _ in $(seq "$(scale 4)"); do
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
