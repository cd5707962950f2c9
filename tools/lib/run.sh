# shellcheck shell=bash
# Runs scenarios in a guest and counts what comes of them.
# It reads the guest's report line by line; a guest that stops reporting is ended and has failed.

PASSED=0
FAILED=0
SKIPPED=0
RUN_DIR=
BOOT_PATIENCE=${BOOT_PATIENCE:-240}
# What failed and the first lines it said, if somebody wants to tell it again at the end.
FAILURES=${FAILURES:-/dev/null}
FAILED_LINES=0

new_run() {
	RUN_DIR=$(mktemp -d "${TMPDIR:-/var/tmp}/veneer-guest-XXXXXX")
}

end_run() {
	[ -z "${KEEP:-}" ] || [ -z "$RUN_DIR" ] || { cp -a "$RUN_DIR" /tmp/kept; }
	stop_machine
	[ -z "$RUN_DIR" ] || rm -rf "$RUN_DIR"
	RUN_DIR=
}

# run_guest SUITE [SCENARIO...]
run_guest() {
	local suite=$1 append='veneer-test.payload'
	GUEST_STATE=boot
	new_run
	payload "$RUN_DIR/payload" "$suite" run "${@:2}"
	if [ ! -s "$RUN_DIR/plan" ]; then
		end_run
		return 0
	fi
	machine_disks "$suite" "$RUN_DIR"
	while [ "$GUEST_STATE" = boot ]; do
		start_machine "$suite" "$RUN_DIR" "$append"
		GUEST_STATE=
		follow "$suite"
		append=
	done
	end_run
}

# Reads one boot's report to its end.
follow() {
	local suite=$1 line patience=$BOOT_PATIENCE code=0
	SCENARIO=
	exec 7<"$RUN_DIR/report"
	while true; do
		code=0
		IFS= read -r -t "$patience" -u 7 line || code=$?
		[ "$code" = 0 ] || break
		line=${line%$'\r'}
		case $line in
		'@start '*) patience=$(($(printf '%s' "$line" | cut -d' ' -f3) + 60)) ;;
		@*) patience=$BOOT_PATIENCE ;;
		esac
		heard "$suite" "$line"
	done
	exec 7<&-
	ended "$suite" "$code"
}

# One line of the report.
heard() {
	local suite=$1 word name took rest
	read -r word name took rest <<<"$2"
	case $word in
	@boot) printf '%-8s  booted in %s s, %s\n' "$suite" "$name" "$took" ;;
	@start) SCENARIO=$name ;;
	@pass) count PASSED "$suite" ok "$name" "$took" "$rest" ;;
	@skip) count SKIPPED "$suite" skip "$name" "$took" "$rest" ;;
	@fail) count FAILED "$suite" FAILED "$name" "$took" "$rest" ;;
	@reboot) GUEST_STATE=boot ;;
	@finished) GUEST_STATE=finished ;;
	*) told "$suite" "$2" ;;
	esac
}

# What a scenario printed: the guest shows it after the scenario has failed.
told() {
	printf '%-8s  %s\n' "$1" "$2"
	[ "$FAILED_LINES" -gt 0 ] || return 0
	FAILED_LINES=$((FAILED_LINES - 1))
	printf '%-8s  %s\n' "$1" "$2" >>"$FAILURES"
}

count() {
	local counter=$1
	SCENARIO=
	printf -v "$counter" '%d' $((${!counter} + 1))
	printf '%-8s  %-6s  %-32s %6s s  %s\n' "$2" "$3" "$4" "$5" "$6"
	FAILED_LINES=0
	[ "$1" = FAILED ] || return 0
	FAILED_LINES=12
	printf '%-8s  %-6s  %s  %s\n' "$2" "$3" "$4" "$6" >>"$FAILURES"
}

# After the last line: was it the end the guest meant?
ended() {
	local suite=$1 code=$2
	if [ -n "$GUEST_STATE" ]; then
		await_poweroff
		return 0
	fi
	if [ "$code" -gt 128 ]; then
		broken "$suite" "the guest says nothing any more"
	else
		broken "$suite" "the guest ended before it was done"
	fi
	stop_machine
}

# The guest has said goodbye; it gets half a minute to power off by itself.
await_poweroff() {
	local tries=300
	while kill -0 "$MACHINE_PID" 2>/dev/null && [ "$tries" -gt 0 ]; do
		sleep 0.1
		tries=$((tries - 1))
	done
	stop_machine
}

broken() {
	count FAILED "$1" FAILED "${SCENARIO:-boot}" '?' "$2"
	echo "the last of its console:"
	tail -n 40 "$RUN_DIR/console" | sed 's/^/  | /'
	sed 's/^/  | /' "$RUN_DIR/machine.log"
}

summary() { printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"; }
