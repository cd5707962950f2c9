# shellcheck shell=bash
# Sessions while the power is cut: two that each boot wants, and many that are made and removed, or whose helper is killed.
# Sourced by powercut, which says where to report.

SEED=/var/lib/cut-seed
AT_ONCE=20

# Whole copies of a tree: what is left of one takes room.
sessions_set_up() {
	local n unit
	mkdir -p "$SEED"
	head -c 1M /dev/urandom >"$SEED/data"
	for n in $(seq 40); do echo "$n" >"$SEED/$n"; done
	cat >/etc/veneer/apps.d/cuts.toml <<-TOML
		[image]
		directory = "$SEED"
		[session]
		kind = "tree"
		[service]
		exec = ["/bin/true"]
	TOML
	for unit in $(sessions_kept); do
		ln -s /run/systemd/generator/veneer-clone-cuts@.service "/etc/systemd/system/multi-user.target.wants/$unit"
	done
}

sessions_kept() { printf 'veneer-clone-cuts@%s.service ' kept1 kept2; }

# What is wrong after a cut: what the boot wants must be there, like the original, and nothing else.
sessions_wrong() {
	local place name
	for place in /run/veneer/sessions/cuts /var/lib/veneer/sessions/cuts; do
		[ "$(cd "$place" && echo *)" = 'kept1 kept2' ] || echo "$place has $(ls "$place" | paste -sd ' ')"
	done
	for name in kept1 kept2; do
		diff -r "$SEED" "/run/veneer/sessions/cuts/$name/root" >/dev/null || echo "session $name is not like its original"
	done
}

sessions_work() {
	local names number
	while :; do
		names=()
		for number in $(seq "$AT_ONCE"); do names+=("veneer-clone-cuts@s$number-$RANDOM.service"); done
		systemctl start --no-block "${names[@]}"
		sleep "0.$((RANDOM % 900 + 100))"
		systemctl kill --signal=KILL "${names[RANDOM % AT_ONCE]}"
		sleep "0.$((RANDOM % 900 + 100))"
		systemctl stop "${names[@]}"
	done >/dev/null 2>&1
}
