# What it shows: an app whose file is deleted, broken, masked or changed while it runs goes on, stops cleanly, and leaves nothing.
# Once: bookworm
# Timeout: 400

# By hand, as a package's scripts would: only systemd knows the app then.
run() {
	hello_app gone 'sleep inf' volatile
	reload
	start gone
}

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

snapshot
run
rm "$APPS/gone.toml"
after "deleted"
run
echo 'this is no TOML' >"$APPS/gone.toml"
after "broken"
run
: >"$APPS/gone.toml"
after "masked"
run
sed -i 's/mode = "volatile"/mode = "none"/' "$APPS/gone.toml"
after "another overlay"
run
rm "$STORE"/gone.*
after "image deleted"
