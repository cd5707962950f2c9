# shellcheck shell=bash
# Overlays over the host while the power is cut: one that somebody writes into, and one that comes and goes all the time.
# Sourced by powercut, which says where to report.

OVERLAID=/usr/share/veneer-cut

overlays_set_up() {
	mkdir -p "$OVERLAID"/{written,churn} /root/cut-source
	echo source >/root/cut-source/file
	echo base | tee "$OVERLAID/written/file" >"$OVERLAID/churn/file"
	install -m 755 "$IMAGES/answer" /usr/local/bin/answer
	veneer overlay apply cut-written /root/cut-source "$OVERLAID/written" --writable --persistent --size=8M
	cat >"/etc/systemd/system/$WRITER.service" <<-UNIT
		[Unit]
		# What is beneath the overlay is nothing to write to.
		RequiresMountsFor=$OVERLAID/written
		ConditionPathIsMountPoint=$OVERLAID/written
		[Service]
		Type=exec
		ExecStart=/usr/local/bin/answer sync $OVERLAID/written/numbers $WRITER
		[Install]
		WantedBy=multi-user.target
	UNIT
}

# What is wrong after a cut: what list says, what is mounted and what is on the disk must agree.
overlays_wrong() {
	local name state mounted path
	for name in written churn; do
		state=$(veneer overlay list | awk -v n="cut-$name" '$1 == n { print $2 }')
		mounted=$(findmnt -rn -o TARGET | grep -c "^$OVERLAID/$name$")
		case $state/$mounted in
		/0 | active/1) ;;
		*) echo "cut-$name is '$state' and mounted $mounted times" ;;
		esac
		[ "$(find "$OVERLAID/$name" -name file | wc -l)" = 1 ] || echo "half a tree in $OVERLAID/$name"
		for path in /run/veneer/overlays /var/lib/veneer/host-overlays; do
			[ -n "$state" ] || [ ! -e "$path/cut-$name" ] || echo "$path/cut-$name is nobody's"
		done
	done
	[ "$(cat "$OVERLAID/written/file")" = source ] || echo "cut-written does not have its source"
}

# So that a cut falls into each of these acts.
overlays_work() {
	local lifetime
	! veneer overlay list | grep -q '^cut-churn ' || veneer overlay remove cut-churn
	while :; do
		for lifetime in --persistent ''; do
			# shellcheck disable=SC2086 # it may be no word
			veneer overlay apply cut-churn /root/cut-source "$OVERLAID/churn" --writable --size=2M $lifetime
			echo written >"$OVERLAID/churn/new"
			veneer overlay reset cut-churn
			veneer overlay commit cut-churn --output=/root/cut-churn
			veneer overlay rollback cut-churn
			veneer overlay remove cut-churn
		done
	done >/dev/null
}
