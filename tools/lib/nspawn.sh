# shellcheck shell=bash
# Boots a guest's root in a container on this machine's kernel: seconds, and no device mapper.
# The same functions as tools/lib/qemu.sh, for what tools/lib/run.sh does with a machine. It ends only what it started.

MACHINE_PID=

# Copies of the cached disks, for the run to write on.
machine_disks() {
	local disk
	for disk in root var; do
		cp --sparse=always --reflink=auto "$GUEST_CACHE/$1/$disk.raw" "$2/$disk.raw"
	done
}

# start_machine SUITE RUN APPEND: the report is read from the fifo RUN/report, the console is in RUN/console.
start_machine() {
	local run=$2
	[ -p "$run/report" ] || mkfifo "$run/report"
	set -- unshare --mount --propagation private bash "$REPO/tools/lib/in-container" "$run" "$IMAGES_DISK" "$3"
	(
		[ "$(id -u)" = 0 ] || set -- sudo "$@"
		exec "$@"
	) </dev/null >"$run/console" 2>"$run/machine.log" &
	MACHINE_PID=$!
}

stop_machine() {
	[ -n "$MACHINE_PID" ] || return 0
	as_root kill "$MACHINE_PID" 2>/dev/null || :
	wait "$MACHINE_PID" 2>/dev/null || :
	MACHINE_PID=
}
