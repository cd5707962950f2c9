# shellcheck shell=bash
# What scenarios are written with. Sourced under "set -Eeuo pipefail"; anything that fails, fails the scenario.
# docs/testing.md says how to use it; this file decides nothing about Veneer but where its files are.

. /usr/lib/veneer-test/report.sh
. "$TEST_DIR/settings"
. "$TEST_DIR/images.sh"
STORE=/var/lib/veneer/images
APPS=/etc/veneer/apps.d
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH STORE IMAGES SYSTEMD_COLORS=0 SYSTEMD_PAGER='' NO_COLOR=1

# --- saying things

# Ends the scenario as failed.
fail() {
	echo "FAIL: $*"
	exit 1
}

# Ends the scenario as skipped; the reason is shown.
skip() {
	echo "$*"
	exit 77
}

# A figure or a remark that goes beside the scenario's result line.
note() { echo "@note $*"; }

# --- apps and images

# app ID <<TOML: writes an app file. In a container, where there is no dm-verity, a drop-in asks for none.
app() {
	mkdir -p "$APPS"
	cat >"$APPS/$1.toml"
	rm -f "$APPS/$1.toml.d/container.toml"
	if [ "${CONTAINER:-}" = yes ] && is_bare "$APPS/$1.toml"; then
		mkdir -p "$APPS/$1.toml.d"
		printf '[image]\nrequire = "none"\n' >"$APPS/$1.toml.d/container.toml"
	fi
}

# Whether an app has an image of a file, and does not say what it must show.
is_bare() { grep -q '^file = ' "$1" && ! grep -q '^require = ' "$1"; }

# image ID [NAME]: puts test image NAME (hello) with its side files into the store as ID.raw and so on.
image() {
	local id=$1 name=${2:-hello} side
	mkdir -p "$STORE"
	for side in raw verity roothash roothash.p7s; do
		install -m 644 "$IMAGES/$name.$side" "$STORE/$id.$side"
	done
}

# hello_app ID COMMAND [MODE]: image ID, and an app that runs a command line of its /bin, with an overlay of that mode (none).
hello_app() {
	local quoted=${2// /\", \"}
	image "$1"
	printf '[image]\nfile = "%s"\n[overlay]\nmode = "%s"\n[service]\nexec = ["/bin/%s"]\n' \
		"$1" "${3:-none}" "$quoted" | app "$1"
}

roothash() { cat "$STORE/$1.roothash"; }

# Makes signatures by the test key trusted.
trust_test_key() {
	mkdir -p /etc/verity.d
	install -m 644 "$IMAGES/test.crt" /etc/verity.d/test.crt
}

reload() { systemctl daemon-reload; }

# start ID... and stop ID...; with_journal shows why if it fails.
start() { with_journal start "$@"; }
restart() { with_journal restart "$@"; }
stop() { with_journal stop "$@"; }

with_journal() {
	local verb=$1 id units=()
	shift
	for id in "$@"; do units+=("app@$id.service"); done
	systemctl "$verb" "${units[@]}" || fail "systemctl $verb ${units[*]}"
}

running() { systemctl is-active --quiet "app@$1.service"; }

# in_time UNIT...: units that wait for idle moments run as any other in this scenario: a busy machine has none.
in_time() {
	local unit
	for unit in "$@"; do
		mkdir -p "/run/systemd/system/$unit.d"
		printf '[Service]\nNice=0\nCPUSchedulingPolicy=other\nIOSchedulingClass=best-effort\n' \
			>"/run/systemd/system/$unit.d/veneer-test-in-time.conf"
	done
	systemctl daemon-reload
}

# --- waiting, failing, looking

# eventually SECONDS COMMAND...: until it succeeds, at most so long; five times that, since a guest may be emulated, and not alone.
eventually() {
	local end=$((SECONDS + $1 * 5 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			fail "not in time: $*"
		fi
		sleep 0.1
	done
}

# fails_with TEXT COMMAND...: it must fail, and say TEXT.
fails_with() {
	local text=$1 said
	shift
	if said=$("$@" 2>&1); then fail "this should have failed: $*"; fi
	has "$said" "$text" || fail "'$*' should say '$text', but says: $said"
}

# has WHOLE PART: plain text, no pattern.
has() { [[ $1 == *"$2"* ]]; }

# expect GOT WANTED
expect() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'"; }

# within SECONDS COMMAND...: runs it, fails if it took longer (fractions allowed); its exit code is kept.
within() {
	local limit=$1 begin code=0 took
	shift
	begin=$(uptime_now)
	"$@" || code=$?
	took=$(awk -v a="$begin" -v b="$(uptime_now)" 'BEGIN { printf "%.2f", b - a }')
	awk -v t="$took" -v l="$limit" 'BEGIN { exit t > l }' || fail "took $took s, not $limit s: $*"
	return "$code"
}

# The journal of a unit since this scenario began.
SCENARIO_BEGAN=$(date '+%F %T')
unit_journal() { journalctl --no-pager -o cat --since "$SCENARIO_BEGAN" -u "$1"; }

# journal_has UNIT TEXT: now, or within two seconds.
journal_has() {
	local tries=100
	until has "$(unit_journal "$1")" "$2"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "the journal of $1 does not say '$2', but: $(unit_journal "$1" | tail -n 20)"
		sleep 0.1
	done
}

# get PORT [PATH]: one page over HTTP.
# Not by busybox's wget: that of Debian 12 crashes while it resolves names.
get() {
	local reply body length
	# shellcheck disable=SC2016 # meant for the shell inside
	reply=$(timeout 10 bash -c 'exec 5<>"/dev/tcp/127.0.0.1/$1" && printf "GET %s HTTP/1.0\r\n\r\n" "$2" >&5 &&
		cat <&5 && printf .' bash "$1" "${2:-/}" 2>/dev/null) || return 1
	[[ $reply == HTTP/1.?' 200 '* ]] || return 1
	body=${reply#*$'\r\n\r\n'}
	length=$(sed -nE 's/^Content-[Ll]ength: ([0-9]+)\r$/\1/p' <<<"$reply" | head -n 1)
	# A page that broke off is none.
	[ -z "$length" ] || [ "$(printf %s "${body%.}" | wc -c)" = "$length" ] || return 1
	printf %s "${body%.}"
}

# scale N: N repetitions in the test tier, five times as many in a soak.
scale() {
	local n=${COUNT:-$1}
	[ -z "${SOAK:-}" ] || n=$((n * 5))
	echo "$n"
}

# --- a store that shares data

# reflink_store: images and sessions on an XFS of their own, by the files of examples/reflink.
reflink_store() {
	local example=$TEST_DIR/examples/reflink
	truncate -s 1G /var/lib/veneer-pool.xfs
	mkfs.xfs -q -m reflink=1 /var/lib/veneer-pool.xfs
	install -m 644 "$example/srv-veneer.mount" /etc/systemd/system/
	install -D -m 644 "$example/pool.toml" /etc/veneer/veneer.toml.d/pool.toml
	reload
	systemctl start srv-veneer.mount
	mkdir /srv/veneer/images /srv/veneer/sessions
}

reflink_store_gone() {
	rm /etc/veneer/veneer.toml.d/pool.toml
	# Not by systemd: in a container it finds the control group of this unit gone by now, and gives up (257).
	umount /srv/veneer
	rm /etc/systemd/system/srv-veneer.mount /var/lib/veneer-pool.xfs
	rmdir /srv/veneer
	reload
}

# --- what is left

# A container sees the loop devices of the whole machine; its own are those whose file it can see.
loop_devices() {
	local name file
	losetup -ln -O NAME,BACK-FILE | sort | while read -r name file; do
		[ "${CONTAINER:-}" = yes ] && [ ! -e "$file" ] || echo "$name $file"
	done
}

# What Veneer could leave: mounts, loop and device-mapper devices, everything below /run/veneer.
state_of_host() {
	findmnt -rn -o TARGET,SOURCE,FSTYPE | grep -vE '^/run/(credentials|user|systemd)|^/proc/sys/fs/binfmt' | sort
	loop_devices
	[ "${CONTAINER:-}" = yes ] || dmsetup ls | grep -v '^No devices' || :
	# That an image was found good is known until the next boot.
	find /run/veneer -not -path '/run/veneer/verified/*' 2>/dev/null | sort || :
	find /var/lib/veneer/sessions 2>/dev/null | sort || :
}

snapshot_to() { state_of_host >"$1"; }
snapshot() { snapshot_to /run/veneer-test/snapshot; }

same_since() { [ "$(state_of_host)" = "$(cat "$1")" ]; }

# Everything must be as it was at the snapshot, soon: StopWhenUnneeded= takes its time, and for twenty apps in an emulated
# guest, beside another, more than a minute. Three are for what never comes.
nothing_left() { nothing_left_since /run/veneer-test/snapshot; }

nothing_left_since() {
	local end=$((SECONDS + 180))
	until same_since "$1"; do
		if [ "$SECONDS" -ge "$end" ]; then
			state_of_host | diff "$1" - || :
			fail "this was left behind (or is gone)"
		fi
		sleep 0.2
	done
}

# --- between scenarios

# Most scenarios have none, and asking takes a process.
host_overlays_gone() {
	local name
	compgen -G '/run/veneer/overlays/*' >/dev/null || compgen -G '/var/lib/veneer/host-overlays/*' >/dev/null || return 0
	for name in $(veneer overlay list --json=short 2>/dev/null | sed 's/},{/\n/g' | sed -nE 's/.*"name":"([^"]*)".*/\1/p'); do
		veneer overlay remove --lazy "$name" >/dev/null 2>&1 || :
	done
}

# Stops every app, takes all configuration and images away.
clean_slate() {
	systemctl stop 'app-*.socket' 'app-*.timer' 'app@*.service' 2>/dev/null || :
	systemctl stop 'app-session-*@*.service' 2>/dev/null || :
	host_overlays_gone
	systemctl stop 'veneer-*@*.service' 'run-veneer-*.mount' 2>/dev/null || :
	rm -rf /etc/veneer/* /run/veneer/apps.d /usr/lib/veneer/apps.d/* /usr/local/lib/veneer/apps.d \
		/etc/systemd/system/app@*.d /etc/systemd/system/*.wants/app@* /run/systemd/system/app@*.d \
		/run/systemd/system/*.d/veneer-test-in-time.conf \
		/etc/verity.d /var/lib/veneer/{images,overlays,apps,updates,refs,pins,trash}/* /var/lib/veneer/blobs/sha256 /run/veneer/verified/*
	systemctl reset-failed 2>/dev/null || :
	reload
}

# --- the units themselves

# Every generated unit, and our templates, must pass systemd-analyze verify in silence.
verify_units() {
	local root=/run/veneer-test/verify said unit units=()
	stub_root "$root"
	for unit in "$root"/run/systemd/generator/*.{service,mount,socket,timer}; do
		[ ! -f "$unit" ] || units+=("$(basename "$unit")")
	done
	for unit in "$root"/run/systemd/generator/*@?*.service.d; do
		[ ! -d "$unit" ] || units+=("$(basename "$unit" .d)")
	done
	[ "${#units[@]}" -gt 0 ] || fail "no generated units to verify"
	said=$(SYSTEMD_UNIT_PATH=/run/systemd/generator:/usr/lib/systemd/system \
		systemd-analyze verify --man=no --recursive-errors=yes --root="$root" -- "${units[@]}" 2>&1) || :
	[ -z "$said" ] || fail "systemd-analyze verify says: $said"
}

# A root of its own with all units, in which every program that an Exec line names is there.
stub_root() {
	local root=$1 program
	rm -rf "$root"
	mkdir -p "$root"/{etc,run/systemd,usr/lib/systemd,usr/bin,usr/sbin}
	cp -a /run/systemd/generator "$root/run/systemd/"
	cp -a /usr/lib/systemd/system "$root/usr/lib/systemd/"
	cp -a /etc/passwd /etc/group /etc/machine-id "$root/etc/"
	ln -s usr/lib usr/bin usr/sbin "$root/"
	grep -rhoE '^Exec[A-Za-z]*=[-@:+!]*"?/[^ "]+' "$root/run" "$root/usr/lib/systemd" |
		sed -E 's/^[^/]*//' | sort -u | while read -r program; do
		mkdir -p "$root$(dirname "$program")"
		install -m 755 /bin/true "$root$program"
	done
}
