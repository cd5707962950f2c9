# What it shows: an overlay goes to another user in one file, hostile files are refused, and one command can write over it alone.
# Container: yes
# Timeout: 400

id veneer-s >/dev/null 2>&1 || useradd --create-home veneer-s
target=/usr/share/veneer-share
rm -rf "$target" "$target-other" /root/share /root/share.*
mkdir -p "$target/dir" "$target-other/dir" /root/share/dir
for place in "$target" "$target-other"; do
	echo base >"$place/file"
	echo base >"$place/gone"
	echo base >"$place/dir/beneath"
done
echo source >/root/share/file
ln -s file /root/share/link
snapshot
# The size of a directory is the file system's business.
tree() {
	(cd "$1" && find . -mindepth 1 \( -type d -printf '%P %y %m %U %G %T@\n' -o -printf '%P %y %m %U %G %s %T@ %l\n' \) | sort &&
		find . -type f -exec sha256sum {} + | sort -k2)
}

# --- one overlay to another place, and another user
veneer overlay apply share /root/share "$target" --writable --size=8M --description="Shared" >/dev/null
rm "$target/gone"
mkdir "$target/new" && echo written >"$target/new/file"
tree "$target" >/run/veneer-test/share-before
said=$(veneer overlay export share /root/share.overlay)
root=${said##* }
expect "$(stat -c %a /root/share.overlay)" 600
mkfifo /root/share.node
ln -s share.overlay /root/share.link
for name in /root/share.node /root/share.link /dev/stdout; do
	fails_with "$name is a" veneer overlay export share "$name"
done
if [ ! -p /root/share.node ] || [ ! -L /root/share.link ] || [ ! -L /dev/stdout ]; then fail "something was written over"; fi
expect "$(tar -tf /root/share.overlay | paste -sd ' ')" "overlay.json change.roothash change.verity change.raw"
fails_with "lies over" veneer overlay import /root/share.overlay --name=twin
fails_with ", not 0000" veneer overlay import /root/share.overlay --name=twin --target="$target-other" --root-hash="${root//[1-9a-f]/0}"
veneer overlay remove share >/dev/null
veneer overlay import /root/share.overlay --dry-run | grep -q 'start usr-share'
expect "$(cat "$target/file")" base
veneer overlay import /root/share.overlay >/dev/null
tree "$target" | diff /run/veneer-test/share-before - || fail "the imported overlay is another"
has "$(veneer overlay history share)" import
# What it hides is known of an image as of a directory: the two files of the base that it replaces and deletes.
grep -q '"hidden-files": 2' /run/veneer/overlays/share/record.json
has "$(veneer overlay list --json=short)" '"description":"Shared"'
veneer overlay import /root/share.overlay --name=twin --target="$target-other" --owner=veneer-s --read-only --root-hash="$root" >/dev/null
expect "$(cat "$target-other/file" "$target-other/new/file" | paste -sd ' ')" "source written"
[ ! -e "$target-other/gone" ]
has "$(veneer overlay list --owner=veneer-s)" twin

# --- one command alone
as() { setpriv --reuid=veneer-s --regid=veneer-s --init-groups env HOME=/home/veneer-s "$@"; }
veneer overlay run share -- sh -c "echo alone >$target/file; cat $target/file" | grep -qx alone
expect "$(cat "$target/file")" source
fails_with "Read-only file system" veneer overlay run share --read-only -- touch "$target/x"
expect "$(as veneer overlay run twin -- cat "$target-other/file")" source
fails_with "there is no overlay" veneer overlay run sharp -- true
systemctl stop 'usr-share-veneer\x2dshare.mount'
fails_with "systemctl start" as veneer overlay run share -- true
veneer overlay remove twin >/dev/null
veneer overlay remove share >/dev/null
veneer overlay apply share /root/share "$target" >/dev/null
systemctl stop 'usr-share-veneer\x2dshare.mount'
expect "$(cat "$target/file")" base
expect "$(veneer overlay run share -- cat "$target/file" "$target/dir/beneath" | paste -sd ' ')" "source base"
veneer overlay remove share >/dev/null

# --- a file over a file, with all that it has
cp /bin/true /root/share.tool && chmod 4711 /root/share.tool && touch -d @1000000000 /root/share.tool
veneer overlay apply tool /root/share.tool "$target/file" >/dev/null
root=$(veneer overlay export tool /root/share.overlay | sed 's/.* //')
veneer overlay remove tool >/dev/null
fails_with "set-id" veneer overlay import /root/share.overlay
veneer overlay import /root/share.overlay --root-hash="$root" >/dev/null
expect "$(stat -c '%a %Y' "$target/file")" "4711 1000000000"
cmp "$target/file" /bin/true
fails_with "a file goes over a file" veneer overlay import /root/share.overlay --name=other --target="$target-other" --root-hash="$root"
veneer overlay remove tool >/dev/null

# --- files that are no exported overlay, or say another thing than they hold
expect_refused() { fails_with "$1" veneer overlay import "$2" --name=bad --target="$target-other"; }
veneer overlay apply share /root/share "$target" >/dev/null
veneer overlay export share /root/share.good >/dev/null
veneer overlay remove share >/dev/null
mkdir /root/share.parts && tar -C /root/share.parts -xf /root/share.good
pack() { (cd /root/share.parts && tar --format=ustar -cf /root/share.bad "$@"); }
in_order=(overlay.json change.roothash change.verity change.raw)
pack "${in_order[@]}"
veneer overlay import /root/share.bad --name=good --target="$target-other" >/dev/null
veneer overlay remove good >/dev/null
expect_refused "no exported overlay" /etc/passwd
head -c 6000 /root/share.good >/root/share.cut
expect_refused "no exported overlay" /root/share.cut
pack change.raw overlay.json
expect_refused "overlay.json is not where it should be" /root/share.bad
ln -s /etc/shadow /root/share.parts/more
pack "${in_order[@]}" more
expect_refused "too much" /root/share.bad
printf X | dd of=/root/share.parts/change.raw bs=1 seek=1100 conv=notrunc status=none
pack "${in_order[@]}"
expect_refused "veri" /root/share.bad
tar -C /root/share.parts -xf /root/share.good
for change in 's/"format": 1/"format": 9/' 's/"name": "share"/"name": "..\/a"/' 's/read-only/set-id/' 's|"/usr/share|"usr/../share|'; do
	tar -C /root/share.parts -xf /root/share.good overlay.json
	sed -i "$change" /root/share.parts/overlay.json
	pack "${in_order[@]}"
	expect_refused "no exported overlay" /root/share.bad
done
# It says a target that nobody may overlay: that is asked of it as of anybody.
tar -C /root/share.parts -xf /root/share.good overlay.json
sed -i "s|$target|/usr/bin|" /root/share.parts/overlay.json
pack "${in_order[@]}"
fails_with "critical" veneer overlay import /root/share.bad
nothing_left
expect "$(find /var/lib/veneer/requests -mindepth 2)" ""
rm -rf "$target" "$target-other" /root/share /root/share.*
