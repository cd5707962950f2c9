# shellcheck shell=bash
# What scenarios have in common that run over a /usr which nobody can write to: its image, and every verb over it.
# A scenario that uses it says: . "$TEST_DIR/usr.sh"

USR_TARGET=/usr/share/veneer-usr
USR_IMAGE=/var/tmp/veneer-usr.erofs

# usr_image [ALSO]: the /usr that runs here as an image, but for what is large and not needed meanwhile (a pattern).
usr_image() {
	rm -rf "$USR_TARGET" /root/usr
	mkdir -p "$USR_TARGET/dir" /root/usr /mnt
	echo base >"$USR_TARGET/file"
	echo base >"$USR_TARGET/gone"
	echo source >/root/usr/file
	# By its name it knows that it is no applet.
	cp /bin/busybox /root/usr/busybox
	mkfs.erofs -T0 --exclude-regex="^(${1:+$1|}lib/firmware|bin/(podman|buildah|skopeo|docker-registry)|share/(perl|doc|zoneinfo|locale|bash-completion|icons))" \
		"$USR_IMAGE" /usr >/dev/null
	truncate -s %4096 "$USR_IMAGE"
}

# usr_root: makes the hash tree of the image, and prints its root hash.
usr_root() { veritysetup format "$USR_IMAGE" "$USR_IMAGE.verity" | sed -nE 's/^Root hash:[ \t]*//p'; }

# usr_verbs: all of them, transient and persistent; nothing is left of any.
usr_verbs() {
	local before lifetime held
	note "/usr: $(findmnt -rno FSTYPE,SOURCE /usr | tail -n 1), $(du -h "$USR_IMAGE" | cut -f1)"
	fails_with "Read-only file system" touch "$USR_TARGET/x"
	before=$(find "$USR_TARGET" -printf '%p %m %u %s %T@\n' | sort)
	snapshot

	for lifetime in "" --persistent; do
		veneer overlay apply usr /root/usr "$USR_TARGET" --writable --size=8M $lifetime >/dev/null
		expect "$(cat "$USR_TARGET/file" "$USR_TARGET/gone" | paste -sd ' ')" "source base"
		"$USR_TARGET/busybox" sleep 60 &
		held=$!
		rm "$USR_TARGET/gone"
		echo written >"$USR_TARGET/dir/written"
		has "$(veneer overlay list)" "$USR_TARGET"
		has "$(veneer overlay diff usr --written)" "1 added, 0 changed, 1 deleted"
		veneer overlay commit usr --output="$STORE/usr-change" >/dev/null
		veneer overlay export usr /root/usr.overlay >/dev/null
		veneer overlay reset usr >/dev/null
		expect "$(ls "$USR_TARGET" | paste -sd ' ')" "busybox dir file gone"
		veneer overlay rollback usr >/dev/null
		expect "$(ls "$USR_TARGET" | paste -sd ' ')" "busybox dir file"
		has "$(veneer overlay history usr)" rollback
		# What runs from before the reset goes on, and holds only what was there then.
		kill "$held"
		wait "$held" || :
		"$USR_TARGET/busybox" sleep 60 &
		held=$!
		eventually 5 grep -q busybox "/proc/$held/comm"
		fails_with "is held" veneer overlay remove usr
		veneer overlay remove usr --lazy >/dev/null
		kill "$held"
		wait "$held" || :
		expect "$(find "$USR_TARGET" -printf '%p %m %u %s %T@\n' | sort)" "$before"
		nothing_left
	done
	veneer overlay apply usr "$STORE/usr-change.raw" "$USR_TARGET" >/dev/null
	expect "$(cat "$USR_TARGET/file" "$USR_TARGET/dir/written" | paste -sd ' ')" "source written"
	[ ! -e "$USR_TARGET/gone" ]
	veneer overlay remove usr >/dev/null
	veneer overlay import /root/usr.overlay >/dev/null
	expect "$(cat "$USR_TARGET/dir/written")" written
	veneer overlay remove usr >/dev/null
	expect "$(veneer overlay run --source=/root/usr --target="$USR_TARGET" -- cat "$USR_TARGET/file" "$USR_TARGET/gone" | paste -sd ' ')" "source base"
	nothing_left
}
