# What it shows: every verb over a /usr that is an EROFS image on dm-verity: nobody can write to it, and all of it works.
# Container: yes
# Timeout: 500

target=/usr/share/veneer-usr
image=/var/tmp/veneer-usr.erofs
rm -rf "$target" /root/usr
mkdir -p "$target/dir" /root/usr /mnt
echo base >"$target/file"
echo base >"$target/gone"
echo source >/root/usr/file
# By its name it knows that it is no applet.
cp /bin/busybox /root/usr/busybox

# The /usr that runs here as an image, but for what is large and not needed meanwhile; then it lies over the other one, and
# whatever is started from now on comes from it.
mkfs.erofs -T0 --exclude-regex='^(lib/modules|lib/firmware|bin/(podman|buildah|skopeo|docker-registry)|share/(perl|doc|zoneinfo|locale|bash-completion|icons))' \
	"$image" /usr >/dev/null
truncate -s %4096 "$image"
if [ -n "${CONTAINER:-}" ]; then
	mount -o loop,ro "$image" /usr
else
	root=$(veritysetup format "$image" "$image.verity" | sed -nE 's/^Root hash:[ \t]*//p')
	veritysetup open "$image" veneer-usr "$image.verity" "$root"
	mount -o ro /dev/mapper/veneer-usr /usr
fi
put_back() {
	umount -l /usr
	[ -n "${CONTAINER:-}" ] || eventually 10 veritysetup close veneer-usr
	rm -rf "$image" "$image.verity" "$target" /root/usr "$STORE"/usr-change.* /root/usr.overlay
}
trap put_back EXIT
note "/usr: $(findmnt -rno FSTYPE,SOURCE /usr | tail -n 1), $(du -h "$image" | cut -f1)"
fails_with "Read-only file system" touch "$target/x"
before=$(find "$target" -printf '%p %m %u %s %T@\n' | sort)
snapshot

for lifetime in "" --persistent; do
	veneer overlay apply usr /root/usr "$target" --writable --size=8M $lifetime >/dev/null
	expect "$(cat "$target/file" "$target/gone" | paste -sd ' ')" "source base"
	"$target/busybox" sleep 60 &
	held=$!
	rm "$target/gone"
	echo written >"$target/dir/written"
	has "$(veneer overlay list)" "$target"
	has "$(veneer overlay diff usr --written)" "1 added, 0 changed, 1 deleted"
	veneer overlay commit usr --output="$STORE/usr-change" >/dev/null
	veneer overlay export usr /root/usr.overlay >/dev/null
	veneer overlay reset usr >/dev/null
	expect "$(ls "$target" | paste -sd ' ')" "busybox dir file gone"
	veneer overlay rollback usr >/dev/null
	expect "$(ls "$target" | paste -sd ' ')" "busybox dir file"
	has "$(veneer overlay history usr)" rollback
	# What runs from before the reset goes on, and holds only what was there then.
	kill "$held"
	wait "$held" || :
	"$target/busybox" sleep 60 &
	held=$!
	eventually 5 grep -q busybox "/proc/$held/comm"
	fails_with "is held" veneer overlay remove usr
	veneer overlay remove usr --lazy >/dev/null
	kill "$held"
	wait "$held" || :
	expect "$(find "$target" -printf '%p %m %u %s %T@\n' | sort)" "$before"
	nothing_left
done
veneer overlay apply usr "$STORE/usr-change.raw" "$target" >/dev/null
expect "$(cat "$target/file" "$target/dir/written" | paste -sd ' ')" "source written"
[ ! -e "$target/gone" ]
veneer overlay remove usr >/dev/null
veneer overlay import /root/usr.overlay >/dev/null
expect "$(cat "$target/dir/written")" written
veneer overlay remove usr >/dev/null
expect "$(veneer overlay run --source=/root/usr --target="$target" -- cat "$target/file" "$target/gone" | paste -sd ' ')" "source base"
nothing_left
put_back
trap - EXIT
