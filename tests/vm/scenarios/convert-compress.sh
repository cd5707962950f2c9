# What it shows: a compressed image is the same root in less room, the same bytes twice, and its app runs; where mkfs.erofs
# Once: trixie
# is too old, one line says so.

made=$TEST_DIR/container
mkdir -p "$STORE"
if dpkg --compare-versions "$(mkfs.erofs -V 2>&1 | sed -n '1s/.* //p')" lt 1.8; then
	fails_with 'mkfs.erofs 1.8 or later, package erofs-utils' \
		veneer image convert "oci-archive:$made/hello.oci.tar" --output="$STORE/hello" --compress=lz4
	[ ! -e "$STORE/hello.raw" ] || fail "there is an image all the same"
	return 0
fi
snapshot
veneer image convert "oci-archive:$made/hello.oci.tar" --output="$STORE/hello" --compress=lz4hc,9
veneer image convert "docker-archive:$made/hello.docker.tar" --output="$STORE/again" --compress=lz4hc,9
veneer image convert "oci-archive:$made/hello.oci.tar" --output="$STORE/plain"
expect "$(roothash again)" "$(roothash hello)"
note "$(stat -c %s "$STORE/hello.raw") of $(stat -c %s "$STORE/plain.raw") bytes"
[ "$(stat -c %s "$STORE/hello.raw")" -lt "$(stat -c %s "$STORE/plain.raw")" ] || fail "it is no smaller"
has "$(veneer image inspect hello)" 'mkfs.erofs='
fsck.erofs "$STORE/hello.raw" >/dev/null
mkdir -p /run/compressed /run/plain
mount -o loop,ro "$STORE/hello.raw" /run/compressed
mount -o loop,ro "$STORE/plain.raw" /run/plain
diff -r --no-dereference /run/plain /run/compressed
diff <(cd /run/plain && find . -printf '%P %y %m %U %G %T@ %l\n' | sort) \
	<(cd /run/compressed && find . -printf '%P %y %m %U %G %T@ %l\n' | sort)
umount /run/compressed /run/plain
rmdir /run/compressed /run/plain
app hello <<-TOML
	[image]
	file = "$STORE/hello.raw"
	skeleton = false
	[service]
	exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
TOML
reload
start hello
eventually 5 get 8080
stop hello
nothing_left
