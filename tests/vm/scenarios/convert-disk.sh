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

command -v systemd-dissect >/dev/null || skip "no systemd-dissect here"
said=$(systemd-dissect --no-pager "$dir/one.disk.raw" 2>&1) || fail "$said"
for word in root root-verity root-verity-sig; do has "$said" "$word"; done
rm -rf "$dir"
nothing_left
