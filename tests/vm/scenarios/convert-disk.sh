# What it shows: a signed disk image is one that systemd takes apart by itself: root, hash tree and signature.
# Once: trixie

snapshot
dir=$(mktemp -d)
mkdir -p "$dir/root/etc" "$dir/root/usr/bin"
printf 'ID=test\nVERSION_ID=1\n' >"$dir/root/etc/os-release"
cp /usr/bin/true "$dir/root/usr/bin/"
veneer image convert "dir:$dir/root" --output="$dir/one" --disk="$dir/one.disk.raw" \
	--key="$IMAGES/test.key" --certificate="$IMAGES/test.crt"
fails_with 'is signed: --certificate=' veneer image disk "$dir/one.raw" "$dir/two.disk.raw"
veneer image disk "$dir/one.raw" "$dir/two.disk.raw" --certificate="$IMAGES/test.crt"
cmp "$dir/one.disk.raw" "$dir/two.disk.raw"
openssl smime -verify -binary -inform der -in "$dir/one.roothash.p7s" -content "$dir/one.roothash" \
	-certfile "$IMAGES/test.crt" -nointern -noverify >/dev/null 2>&1 || fail "openssl does not take the signature"

exits_with() {
	local code=$1 text=$2 got=0 said
	shift 2
	said=$("$@" 2>&1) || got=$?
	if [ "$got" != "$code" ] || ! has "$said" "$text"; then
		fail "'$*' ends with $got, not $code and '$text': $said"
	fi
}

# --- what is no regular file is never written over
mkfifo "$dir/node" "$dir/four.raw"
ln -s two.disk.raw "$dir/link"
for name in node link; do
	exits_with 65 "$dir/$name is a" veneer image disk "$dir/one.raw" "$dir/$name" --certificate="$IMAGES/test.crt"
	exits_with 65 "$dir/$name is a" veneer image convert "dir:$dir/root" --output="$dir/three" --disk="$dir/$name"
done
exits_with 65 "$dir/four.raw is a named pipe" veneer image convert "dir:$dir/root" --output="$dir/four"
if [ ! -p "$dir/node" ] || [ ! -p "$dir/four.raw" ] || [ ! -L "$dir/link" ]; then fail "something was written over"; fi
[ ! -e "$dir/three.raw" ] || fail "an image was made for a disk that could not be"

# --- a mistake with the key leaves the signed image as it is
echo new >"$dir/root/etc/new"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout "$dir/other.key" -out "$dir/other.crt" 2>/dev/null
before=$(sha256sum "$dir"/one.*)
again() { veneer image convert "dir:$dir/root" --output="$dir/one" --key="$1" --certificate="$2"; }
exits_with 66 /nope again /nope "$IMAGES/test.crt"
exits_with 66 /nope again "$IMAGES/test.key" /nope
exits_with 65 'the certificate is not that of the key' again "$IMAGES/test.key" "$dir/other.crt"
exits_with 66 /nope veneer image sign "$dir/one.raw" --key=/nope --certificate="$IMAGES/test.crt"
exits_with 65 'by another certificate' veneer image disk "$dir/one.raw" "$dir/x" --certificate="$dir/other.crt"
exits_with 64 'is signed: --certificate=' veneer image disk "$dir/one.raw" "$dir/x"
expect "$(sha256sum "$dir"/one.*)" "$before"
again "$IMAGES/test.key" "$IMAGES/test.crt"
[ "$(sha256sum "$dir"/one.*)" != "$before" ] || fail "the new image was not made"
veneer image disk "$dir/one.raw" "$dir/two.disk.raw" --certificate="$IMAGES/test.crt"

command -v systemd-dissect >/dev/null || skip "no systemd-dissect here"
said=$(systemd-dissect --no-pager "$dir/two.disk.raw" 2>&1) || fail "$said"
for word in root root-verity root-verity-sig; do has "$said" "$word"; done
rm -rf "$dir"
nothing_left
