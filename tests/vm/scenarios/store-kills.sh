# What it shows: pull, conversion, prune and rm killed at random moments leave every image whole, what is in use there, and nothing for good.
# Container: yes
# Once: trixie
# Tier: soak
# Timeout: 3600

# Each of the four is killed once; 75 times in a soak, or COUNT. A run that ends before it is killed does not count.
command -v skopeo >/dev/null && command -v docker-registry >/dev/null || skip "skopeo or docker-registry is not installed here"
count=${COUNT:-1}
[ -z "${SOAK:-}" ] || count=${COUNT:-75}
port=5058
ref=docker://127.0.0.1:$port/hello
dir=$(mktemp -d)
prune=/usr/libexec/veneer/veneer-prune

printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: 127.0.0.1:%s}\n' \
	"$dir" $port >"$dir/config.yml"
systemd-run --quiet --unit=kills-registry docker-registry serve "$dir/config.yml"
printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' $port >/etc/veneer/registries.conf
eventually 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1' bash $port
skopeo copy --quiet --dest-tls-verify=false "oci-archive:$TEST_DIR/container/hello.oci.tar" "$ref:1"

# What must be there whatever happens: an image that an app names, and one that is pinned.
image named static
image pinned static
app named <<-'TOML'
	[image]
	file = "named"
	[service]
	exec = ["/answer"]
TOML
veneer image pin pinned

# What is killed, and what goes before it. Each image is another one, so that there is something to do.
number=0
pull() { veneer image pull --always "$ref:1"; }
convert() { veneer image pull "tar:$dir/$number.tar"; }
remove() { "$prune"; }
rm_() { veneer image rm "victim$number"; }
before() {
	number=$((number + 1))
	case $1 in
	pull) [ $((RANDOM % 2)) = 0 ] || rm -rf /var/lib/veneer/blobs/sha256 ;;
	convert)
		mkdir -p "$dir/root"
		head -c $((RANDOM * 40)) /dev/urandom >"$dir/root/noise"
		tar -C "$dir/root" -cf "$dir/$number.tar" .
		;;
	rm_) image "victim$number" static ;;
	remove) for at in 1 2 3 4; do image "idle$number-$at" static; done ;;
	esac
}

# killed OPERATION MILLISECONDS: run as a unit of its own, so that whatever it has started is killed with it.
export ref dir prune number
killed() {
	local unit=kills-$number.service
	systemd-run --quiet --collect --unit="$unit" --property=StandardOutput=null --property=StandardError=null \
		bash -c "ref=$ref dir=$dir prune=$prune number=$number; $(declare -f "$1"); $1"
	sleep "$(awk -v ms="$2" 'BEGIN { print ms / 1000 }')"
	if systemctl kill --signal=KILL "$unit" 2>/dev/null; then hit=$((hit + 1)); fi
	eventually 10 bash -c '! systemctl is-active --quiet "$1"' bash "$unit"
}

whole() {
	local name
	for name in $(veneer image list --json=short | grep -oE '"name":"[^"]*"' | cut -d'"' -f4); do
		veneer image verify "$name" >/dev/null || fail "$name is in the list and not whole (run $number, $1)"
	done
	for name in named pinned; do [ -e "$STORE/$name.raw" ] || fail "$name is gone (run $number, $1)"; done
}
leftovers() {
	"$prune" >/dev/null || fail "a prune afterwards ends with $? (run $number)"
	expect "$(find /var/lib/veneer -name '.*' -o -path '/var/lib/veneer/trash/*' | sort | paste -sd ' ')" ''
	expect "$(find "$STORE" -name '*.raw' -printf '%f\n' | sort | paste -sd ' ')" 'named.raw pinned.raw'
	expect "$(find /var/lib/veneer/refs /var/lib/veneer/blobs/sha256 /var/lib/veneer/pins -type f 2>/dev/null | wc -l)" 1
}

declare -A span
for operation in pull convert remove rm_; do
	before "$operation"
	began=$(uptime_now)
	"$operation" >/dev/null 2>&1 || fail "$operation, not killed, fails: $("$operation" 2>&1)"
	span[$operation]=$(awk -v a="$began" -v b="$(uptime_now)" 'BEGIN { printf "%d", (b - a) * 1200 + 50 }')
done
leftovers
runs=0
for operation in pull convert remove rm_; do
	hit=0
	while [ "$hit" -lt "$count" ]; do
		runs=$((runs + 1))
		before "$operation"
		killed "$operation" $((RANDOM * ${span[$operation]} / 32768))
		whole "$operation"
		# Now and then, so that what is left of one is in the way of the next.
		[ $((RANDOM % 3)) != 0 ] || leftovers
		rm -f "$dir/$number.tar"
	done
done
leftovers
note "$((count * 4)) killed before their end, of $runs runs"
systemctl stop kills-registry
rm -rf "$dir"
