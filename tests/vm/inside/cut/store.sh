# shellcheck shell=bash
# The store while the power is cut: what is asked of it after each boot, and what goes on in it until the next cut.
# Sourced by powercut, which says where to report.

PORT_OF_REGISTRY=5060
WORK=/run/veneer-test/store

# What is wrong after a cut: what is listed must be whole, what is pinned there, and a prune must remove every leftover.
store_wrong() {
	local name pin left
	for name in $(veneer image list --json=short | grep -oE '"name":"[^"]*"' | cut -d'"' -f4); do
		veneer image verify "$name" >/dev/null 2>"$WORK/said" || echo "$name is listed and not whole: $(cat "$WORK/said")"
	done
	for pin in /var/lib/veneer/pins/*.json; do
		name=$(basename "$pin" .json)
		[ ! -e "$pin" ] || [ -e "/var/lib/veneer/images/$name.raw" ] || echo "$name is pinned and gone"
	done
	/usr/libexec/veneer/veneer-prune >"$WORK/said" 2>&1 || echo "a prune ends with $?: $(cat "$WORK/said")"
	left=$(cd /var/lib/veneer && find images blobs refs pins apps updates trash -name '.*' -o -path 'trash/*' 2>/dev/null | paste -sd ' ')
	[ -z "$left" ] || echo "the prune leaves $left"
}

# Pulls, conversions, pins, prunes and removals, one after the other until the power is cut.
store_work() {
	command -v docker-registry >/dev/null || return 0
	local reference=docker://127.0.0.1:$PORT_OF_REGISTRY/hello:1 number name before=
	printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: 127.0.0.1:%s}\n' \
		$WORK $PORT_OF_REGISTRY >$WORK/config.yml
	systemd-run --quiet --unit=cut-registry docker-registry serve $WORK/config.yml || return 0
	printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' $PORT_OF_REGISTRY >/etc/veneer/registries.conf
	until skopeo copy --quiet --dest-tls-verify=false "oci-archive:$TEST_DIR/container/hello.oci.tar" "$reference"; do sleep 0.2; done
	for number in $(seq 100000); do
		mkdir -p "$WORK/root"
		head -c $((RANDOM * 60)) /dev/urandom >"$WORK/root/noise"
		tar -C "$WORK/root" -cf "$WORK/$number.tar" .
		name=$(veneer image pull "tar:$WORK/$number.tar" 2>&1 | grep -oE 'sha256-[0-9a-f]{64}' | head -n 1)
		veneer image pin "$name"
		veneer image pull --always "$reference"
		[ -z "$before" ] || veneer image unpin "$before"
		/usr/libexec/veneer/veneer-prune
		[ -z "$before" ] || ! veneer image list | grep -q "$before" || report broken "$before is there after a prune"
		before=$name
		rm -f "$WORK/$number.tar"
	done >/dev/null 2>&1
}
