# What it shows: a container image becomes a verified image in the guest, the very one that the host makes; its app runs.
# Once: trixie
# Timeout: 180

convert=/usr/libexec/veneer/veneer-convert
made=$TEST_DIR/container
units=/run/systemd/system

# source_of NAME SOURCE: what veneer-convert@NAME converts.
source_of() {
	mkdir -p "$units/veneer-convert@$1.service.d"
	printf '[Service]\nEnvironment=SOURCE=%s\n' "$2" >"$units/veneer-convert@$1.service.d/50-source.conf"
}

# Everything that begins with a name, hidden files too; sorted.
files_of() { find "$STORE" -maxdepth 1 -name "*$1*" -printf '%f ' | tr ' ' '\n' | sort | paste -sd ' ' | sed 's/^ //'; }

# whole NAME: the image is as its root hash says, or there is none.
whole() { [ ! -e "$STORE/$1.raw" ] || veneer image verify "$1" >/dev/null || fail "$1 is there and not whole"; }

mkdir -p "$STORE"
snapshot

# By its unit, in its sandbox.
source_of hello "oci-archive:$made/hello.oci.tar"
source_of big dir:/usr/lib
reload
systemctl start veneer-convert@hello || fail "veneer-convert@hello: $(unit_journal veneer-convert@hello.service)"
expect "$(roothash hello)" "$(cat "$made/hello.roothash")"
journal_has veneer-convert@hello.service "root hash $(roothash hello)"
expect "$(files_of hello)" 'hello.manifest.json hello.raw hello.roothash hello.verity'
systemctl start veneer-convert@hello
journal_has veneer-convert@hello.service 'hello.raw is there already'

# In docker's form, by hand, and found again.
began=$(uptime_now)
"$convert" "docker-archive:$made/hello.docker.tar" --output "$STORE/docker"
note "2.6 MB in $(awk -v a="$began" -v b="$(uptime_now)" 'BEGIN { printf "%.2f", b - a }') s"
expect "$(roothash docker)" "$(roothash hello)"
cmp "$STORE/docker.raw" "$STORE/hello.raw"
veneer image convert "oci-archive:$made/hello.oci.tar" --output "$STORE/docker" 2>&1 | grep -q 'is there already' ||
	fail "the same image in another form is made again"

# Signed, and run.
veneer image sign hello --key "$IMAGES/test.key" --certificate "$IMAGES/test.crt"
trust_test_key
app hello <<-TOML
	[image]
	file = "$STORE/hello.raw"
	require = "signed"
	skeleton = false
	[service]
	exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
TOML
veneer check
reload
start hello
eventually 5 get 8080
expect "$(get 8080)" 'hello from inside a verified image'
get 8080 /old.html && fail "a file that the second layer deletes is there"
stop hello
nothing_left

# Killed while it works, stopped while it works, and no room: nothing is left, and the next run succeeds.
hit=0
for moment in 0.05 0.3 0.8 1.5; do
	"$convert" dir:/usr/lib/systemd --output "$STORE/killed" >/dev/null 2>&1 &
	sleep "$moment"
	if kill -9 $! 2>/dev/null; then hit=$((hit + 1)); fi
	wait $! || :
	whole killed
done
[ "$hit" -gt 0 ] || fail "none of the conversions was killed"
"$convert" dir:/usr/lib/systemd --output "$STORE/killed"
whole killed
expect "$(files_of killed)" 'killed.manifest.json killed.raw killed.roothash killed.verity'
systemctl start --no-block veneer-convert@big
eventually 10 test -e "$STORE/.big.lock"
systemctl stop veneer-convert@big
expect "$(systemctl is-active veneer-convert@big)" inactive
expect "$(files_of big)" ''
mkdir -p "$STORE/small"
mount -t tmpfs -o size=1M tmpfs "$STORE/small"
fails_with "converting full: no space left in $STORE/small; nothing was written" \
	"$convert" "oci-archive:$made/hello.oci.tar" --output "$STORE/small/full"
expect "$(ls -A "$STORE/small")" ''
umount "$STORE/small"
rm -rf "$STORE/small" "$units"/veneer-convert@*.service.d
reload
