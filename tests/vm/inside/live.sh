# shellcheck shell=bash
# What scenarios of apps that change while they run have in common.
# A scenario that uses it says: . "$TEST_DIR/live.sh"

# By hand, as a package's scripts would: only systemd knows the app then.
run() {
	hello_app gone 'sleep inf' volatile
	reload
	start gone
}

# after WHAT: a reload later the app is the same process; it stops cleanly, and leaves nothing, not even units.
after() {
	local pid
	pid=$(systemctl show -P MainPID app@gone)
	reload
	sleep 1
	running gone || fail "the reload stopped the app: $1"
	expect "$(systemctl show -P MainPID app@gone)" "$pid"
	systemctl stop app@gone
	nothing_left
	reload
	find /run/systemd/generator -name '*gone*' | grep -q . && [ ! -e "$APPS/gone.toml" ] && fail "units of a dead app stay: $1"
	return 0
}
