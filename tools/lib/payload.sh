# shellcheck shell=bash
# Puts together what a guest gets for one run: the installed tree, the test runner, the scenarios, a plan.
# All of it is one tar file that is attached as a disk; the guest's initrd unpacks it over the root.

TEST_DIR=usr/lib/veneer-test
SCENARIOS=$REPO/tests/vm/scenarios

# The value of a "# Key: value" line in a scenario's head.
scenario_says() {
	sed -n "s/^# $2: *//p" "$SCENARIOS/$1.sh" | head -n 1
}

scenario_names() {
	local f
	for f in "$SCENARIOS"/*.sh; do [ ! -f "$f" ] || basename "$f" .sh; done
}

# Whether a scenario is for this guest and this tier. VENEER_ONCE=yes: those that say "Once" in that guest alone.
# VENEER_PLACE=guest or container: only what belongs there.
scenario_wanted() {
	local name=$1 suite=$2 guests tier once
	guests=$(scenario_says "$name" Guests)
	[ -z "$guests" ] || [[ " $guests " == *" $suite "* ]] || return 1
	once=$(scenario_says "$name" Once)
	[ -z "${VENEER_ONCE:-}" ] || [[ " $SUITES " != *" ${once:-none} "* ]] || [ "$once" = "$suite" ] || return 1
	tier=$(scenario_says "$name" Tier)
	# What says "alone" would stand in the way of the others, and is run by its name.
	case ${tier:-test} in
	test) ;;
	soak) [ -n "${SOAK:-}" ] || return 1 ;;
	*) return 1 ;;
	esac
	[ -z "${VENEER_PLACE:-}" ] || [ "$VENEER_PLACE" = "$(scenario_place "$name")" ]
}

# Where tools/test runs a scenario: what says "Container: yes" needs no device mapper, and is ten times quicker there.
scenario_place() {
	case $(scenario_says "$1" Container) in
	yes) echo container ;;
	*) echo guest ;;
	esac
}

# One line "NAME TIMEOUT KIND" for each scenario; KIND is plain, soft (over a soft reboot) or reboot.
plan() {
	local suite=$1 name timeout kind names
	shift
	names=$*
	[ -n "$names" ] || for name in $(scenario_names); do
		! scenario_wanted "$name" "$suite" || names="$names $name"
	done
	for name in $names; do
		[ -f "$SCENARIOS/$name.sh" ] || die "there is no scenario $name in tests/vm/scenarios"
		timeout=$(scenario_says "$name" Timeout)
		kind=plain
		! grep -q '^before_reboot()' "$SCENARIOS/$name.sh" || kind=reboot
		! grep -q '^before_soft_reboot()' "$SCENARIOS/$name.sh" || kind=soft
		printf '%s %s %s\n' "$name" "${timeout:-300}" "$kind"
	done
}

# payload FILE SUITE MODE [SCENARIO...]: MODE is the guest-side program that takes over, run or shell.
payload() {
	local out=$1 suite=$2 mode=$3 dir=$1.tree test
	shift 3
	test=$dir/$TEST_DIR
	rm -rf "$dir"
	mkdir -p "$test" "$dir/usr/lib/systemd/system" "$dir/etc/systemd/system/multi-user.target.wants"
	[ ! -d "$TREE" ] || cp -a "$TREE/." "$dir/"
	cp -a "$REPO/tests/vm/inside/." "$test/"
	cp -a "$SCENARIOS" "$test/scenarios"
	container_image "$test/container"
	cp -a "$REPO/examples" "$test/examples" 2>/dev/null || :
	# Machines inside an emulated machine take minutes each; inside a container they are as quick as outside.
	[ -z "${CONTAINER:-}" ] || microvm_parts "$test/microvm"
	plan "$suite" "$@" >"$test/plan"
	! grep -q '^parser ' "$test/plan" || install -m 755 "$(build_parser)" "$test/parser"
	cp "$test/plan" "$(dirname "$out")/plan"
	printf 'GUEST=%s\nSOAK=%q\nCOUNT=%q\nPLAIN=%q\nCONTAINER=%q\n' \
		"$suite" "${SOAK:-}" "${COUNT:-}" "${PLAIN:-}" "${CONTAINER:-}" >"$test/settings"
	mv "$test/veneer-test-$mode.service" "$dir/usr/lib/systemd/system/"
	ln -s "/usr/lib/systemd/system/veneer-test-$mode.service" "$dir/etc/systemd/system/multi-user.target.wants/"
	tar -C "$dir" --owner=0 --group=0 --numeric-owner -cf "$out" .
	rm -rf "$dir"
}
