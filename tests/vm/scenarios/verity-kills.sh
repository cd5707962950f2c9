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
pause() { sleep "0.$(printf %03d $((RANDOM % $1)))"; }

pid_of() {
	local comm name
	for comm in /proc/[0-9]*/comm; do
		name=
		{ read -r name <"$comm"; } 2>/dev/null || continue
		if [ "$name" = "$1" ]; then
			comm=${comm#/proc/}
			echo "${comm%/comm}"
			return
		fi
	done
}

# Whatever has this name, as soon as it is there and a little later.
kill_one() {
	local name=$1 tries=0 pid
	while [ "$tries" -lt 400 ]; do
		pid=$(pid_of "$name")
		if [ -n "$pid" ]; then
			pause 30
			kill -KILL "$pid" 2>/dev/null || :
			return 0
		fi
		tries=$((tries + 1))
		sleep 0.005
	done
}

kills=0
# Once while starting, once while stopping.
for name in veneer-verity mount umount veneer-overlay; do
	for _ in $(seq "$(scale 10)"); do
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
for _ in $(seq "$(scale 10)"); do
	systemctl start app@k
	pause 500
	systemctl kill -s KILL app@k
	pause 300
	systemctl stop app@k 2>/dev/null || :
	systemctl reset-failed 2>/dev/null || :
	kills=$((kills + 1))
	nothing_left
done
note "$kills rounds"
start k
stop k
nothing_left
