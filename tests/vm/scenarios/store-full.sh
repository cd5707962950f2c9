# What it shows: with the disk full at any point of a pull and a conversion, the error is plain, and what was there is there.
# Container: yes
# Once: trixie
# Tier: soak
# Timeout: 900

command -v skopeo >/dev/null && command -v docker-registry >/dev/null || skip "skopeo or docker-registry is not installed here"
store=/var/lib/veneer
port=5059
dir=$(mktemp -d)
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: 127.0.0.1:%s}\n' \
	"$dir" $port >"$dir/config.yml"
systemd-run --quiet --unit=full-registry docker-registry serve "$dir/config.yml"
printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' $port >/etc/veneer/registries.conf
eventually 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1' bash $port
ref=docker://127.0.0.1:$port/hello:1
skopeo copy --quiet --dest-tls-verify=false "oci-archive:$TEST_DIR/container/hello.oci.tar" "$ref"

# room KIB: a store of its own with an image in it, and so much room besides.
room() {
	mount -t tmpfs -o "size=$((1200 + $1))k" tmpfs $store
	mkdir -p $store/images
	image old static
	veneer image pin old
}

# How much it takes.
room 65536
veneer image pull "$ref" >/dev/null 2>&1
most=$(($(du -sk $store | cut -f1) - 1200))
umount $store

points=$(scale 6)
failed=0
for at in $(seq "$points"); do
	kib=$((most * at / points + RANDOM % 64))
	room "$kib"
	code=0
	said=$(veneer image pull "$ref" 2>&1) || code=$?
	if [ "$code" != 0 ]; then
		failed=$((failed + 1))
		has "${said,,}" 'no space left' || fail "with $kib KiB it ends with $code and says: $said"
		expect "$(find $store/images -name '*.raw' | sort | paste -sd ' ')" $store/images/old.raw
	fi
	veneer image verify old >/dev/null || fail "what was there is damaged"
	for raw in "$store"/images/sha256-*.raw; do
		[ ! -e "$raw" ] || veneer image verify "$raw" >/dev/null || fail "an image is there by halves"
	done
	# A prune makes room, also where there is none.
	/usr/libexec/veneer/veneer-prune >/dev/null || fail "a prune of a full disk ends with $?"
	expect "$(find $store -name '.*' | paste -sd ' ')" ''
	veneer image verify old >/dev/null
	umount $store
done
[ "$failed" -gt 0 ] || fail "there was room every time"
note "$failed of $points found too little room, between 0 and $most KiB"
systemctl stop full-registry
rm -rf "$dir"
