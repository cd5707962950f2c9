# What it shows: whatever was done to a large image or to what is beside it, nothing of it runs, at once, in one line.
# Once: bookworm
# Timeout: 600

image tm big
trust_test_key
mkdir -p /opt/tm
cp /bin/busybox /opt/tm/busybox
raw=$STORE/tm.raw tree=$STORE/tm.verity
[ "$(stat -c %s "$raw")" -ge $((512 << 20)) ] || fail "the image is too small for this"

# The fallback is there to see that it is not taken; under "signed" there can be none.
configure() {
	app tm <<T
[image]
file = "tm"
$1
[service]
exec = ["/bin/sleep", "1000"]
T
	reload
}

times=
said_of() { [ "$(unit_journal "$1" | grep -c 'attaching tm')" = "$2" ]; }
# refused WHAT TEXT: the start fails in time, and the app's journal says TEXT in one new line.
refused() {
	local begin took said lines
	lines=$(unit_journal app@tm | grep -c 'attaching tm' || :)
	begin=$(uptime_now)
	if systemctl start app@tm 2>/dev/null; then fail "$1: it started"; fi
	took=$(awk -v a="$begin" -v b="$(uptime_now)" 'BEGIN { printf "%.2f", b - a }')
	times="$times$took $1
"
	# What must not be is a wait for a device that never comes (90 s); the figures are in the note.
	awk -v t="$took" 'BEGIN { exit t > 10 }' || fail "$1: it took $took s"
	eventually 2 said_of app@tm $((lines + 1))
	said=$(unit_journal app@tm | grep 'attaching tm')
	has "$(tail -n 1 <<<"$said")" "$2" || fail "$1: it says $(tail -n 1 <<<"$said")"
	has "$(tail -n 1 <<<"$said")" "$STORE/tm." || fail "$1: the image is not named: $said"
	has "$(systemctl status app@tm 2>&1 || :)" "$2" || fail "$1: systemctl status does not say it"
	said_of veneer-verity@tm $((lines + 1)) || fail "$1: said twice in the helper's journal"
	nothing_left
}

# poke FILE OFFSET: another byte there, and the old one kept.
poke() {
	poked=$1 at=$2
	was=$(dd if="$1" bs=1 skip="$2" count=1 status=none | od -An -tu1 | tr -d ' ')
	printf "\\x$(printf %02x $((was ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
unpoke() {
	printf "\\x$(printf %02x "$was")" | dd of="$poked" bs=1 seek="$at" conv=notrunc status=none
}
number() { od -An -t"u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

configure 'fallback = "/opt/tm"'
snapshot
# It is good before it is tampered with: what is refused below is refused for that alone.
start tm
stop tm
nothing_left

poke "$raw" 1030
refused superblock "superblock of $raw is damaged"
unpoke
# The root directory's inode: meta_blkaddr and root_nid of EROFS.
root=$(($(number "$raw" 1064 4) * 4096 + $(number "$raw" 1038 2) * 32))
poke "$raw" "$root"
refused "root directory" "$raw is damaged"
unpoke
poke "$tree" 4100
refused "top of the tree" "root hash of $raw does not match"
unpoke
poke "$tree" $(($(stat -c %s "$tree") / 2))
refused "middle of the tree" "hash tree $tree of $raw is damaged in block"
unpoke
poke "$tree" $(($(stat -c %s "$tree") - 1))
refused "end of the tree" "hash tree $tree of $raw is damaged in block"
unpoke
# One more is more than the image has.
poke "$tree" 72
if [ $((was % 2)) = 0 ]; then text="is truncated"; else text="superblock says"; fi
refused "number of blocks" "$text"
unpoke

cp "$STORE/tm.roothash" /run/roothash
tr 0-9a-f 1-9a-f0 </run/roothash >"$STORE/tm.roothash"
refused "root hash" "root hash of $raw does not match"
echo rubbish >"$STORE/tm.roothash"
refused "no root hash" "holds no root hash"
rm "$STORE/tm.roothash"
refused "root hash missing" "has no root hash: $STORE/tm.roothash is missing"
install -m 644 /run/roothash "$STORE/tm.roothash"

mv "$tree" "$tree.away"
refused "tree missing" "has no hash tree"
head -c 8192 "$tree.away" >"$tree"
refused "tree truncated" "is truncated"
mv "$tree.away" "$tree"

chown 1000 "$tree"
refused "tree's owner" "can be changed by others than root: it belongs to uid 1000"
chown 0 "$tree"
chmod 666 "$raw"
refused "image's mode" "it has mode 0666"
chmod 644 "$raw"
chmod 1777 "$STORE"
refused "directory's mode" "images has mode 1777"
chmod 755 "$STORE"
mv "$raw" "$raw.away"
ln -s nowhere "$raw"
refused "a broken link" "is a link to nothing"
rm "$raw"
mkfifo "$raw"
refused "a pipe" "is not a regular file"
rm "$raw"

truncate -s 1M "$raw"
refused truncated "$raw is truncated"
install -m 644 "$IMAGES/hello.raw" "$raw"
truncate -s "$(stat -c %s "$raw.away")" "$raw"
refused swapped "superblock of $raw is damaged"
mv "$raw.away" "$raw"

configure 'require = "signed"'
snapshot
mv "$STORE/tm.roothash.p7s" /run/p7s
refused "signature missing" "has no signature"
install -m 644 "$IMAGES/big.roothash.wrong.p7s" "$STORE/tm.roothash.p7s"
refused "a stranger's signature" "was made by none of the certificates"
install -m 644 "$IMAGES/hello.roothash.p7s" "$STORE/tm.roothash.p7s"
refused "another image's signature" "does not sign this root hash"
install -m 644 /run/p7s "$STORE/tm.roothash.p7s"
configure "type = \"squashfs\""
snapshot
refused "another file system" 'holds erofs, not squashfs: set image.type'

# And as it should be.
configure 'require = "signed"'
snapshot
begin=$(uptime_now)
start tm
times=$(sort -n <<<"$times" | grep .)
note "slowest refusal $(tail -n 1 <<<"$times" | sed 's/ / s, /'), median $(sed -n "$(($(wc -l <<<"$times") / 2 + 1))s/ .*//p" <<<"$times") s; a good start, signed, $(awk -v a="$begin" -v b="$(uptime_now)" 'BEGIN { printf "%.2f", b - a }') s"
grep -E '^shown signed(-kernel)? ' /run/veneer/live/tm || fail "the mark says $(cat /run/veneer/live/tm)"
stop tm
nothing_left
