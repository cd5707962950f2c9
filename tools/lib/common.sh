# shellcheck shell=bash
# What every tool shares: where things are, how to speak, how to be root.
# It installs nothing and starts nothing by itself.

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$REPO/target}
GUEST_CACHE=${VENEER_GUEST_CACHE:-$TARGET/guest}
SUITES=${SUITES:-bookworm trixie forky}
export REPO TARGET GUEST_CACHE SUITES

say() { printf '%s\n' "== $*" >&2; }

die() {
	printf '%s\n' "error: $*" >&2
	exit 1
}

# Runs a command as root, by sudo where we are not root ourselves.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		command -v sudo >/dev/null || die "this needs root, and there is no sudo: run it as root"
		sudo "$@"
	fi
}

# Seconds since the machine booted, with two decimals.
now() { cut -d' ' -f1 /proc/uptime; }

# Seconds between two values of now.
elapsed() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", b - a }'; }

# The code name of the Debian this machine runs.
host_suite() {
	local VERSION_CODENAME=
	# shellcheck source=/dev/null
	. /etc/os-release
	printf '%s\n' "$VERSION_CODENAME"
}

# Runs a command with its output in a log that is shown only if it fails.
quietly() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		die "this did not work: $* (all of it is in $log)"
	fi
}
