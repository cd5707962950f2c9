# What it shows: an overlay lies over a place that is on overlayfs itself; where the kernel stacks no deeper, nothing is changed.
# Container: yes
# Timeout: 300

place=/usr/share/veneer-stacked
target=$place/dir
rm -rf "$place" /root/stacked
mkdir -p "$target" /root/stacked /run/veneer-test/stacked
echo lowest >"$target/lowest"
mount -t tmpfs tmpfs /run/veneer-test/stacked
mkdir -p /run/veneer-test/stacked/{upper/dir,work}
echo beneath >/run/veneer-test/stacked/upper/dir/file
mount -t overlay overlay -o "lowerdir=$place,upperdir=/run/veneer-test/stacked/upper,workdir=/run/veneer-test/stacked/work" "$place"
expect "$(stat -fc %T "$target")" overlayfs
expect "$(cat "$target/file" "$target/lowest" | paste -sd ' ')" "beneath lowest"
echo source >/root/stacked/file
snapshot
before=$(find "$place" -printf '%p %m %s %T@\n' | sort)

for mode in --read-only --writable; do
	veneer overlay apply stacked /root/stacked "$target" "$mode" >/dev/null
	expect "$(cat "$target/file" "$target/lowest" | paste -sd ' ')" "source lowest"
	[ "$mode" = --read-only ] || { rm "$target/lowest"; echo written >"$target/written"; }
	has "$(veneer overlay diff stacked)" "C s -rw-r--r--" || has "$(veneer overlay diff stacked)" "file"
	[ "$mode" = --read-only ] || {
		has "$(veneer overlay diff stacked --written)" "1 added, 0 changed, 1 deleted"
		veneer overlay reset stacked >/dev/null
		expect "$(ls "$target" | paste -sd ' ')" "file lowest"
		veneer overlay rollback stacked >/dev/null
		expect "$(ls "$target" | paste -sd ' ')" "file written"
	}
	veneer overlay commit stacked --output="$STORE/stacked" >/dev/null
	veneer overlay remove stacked >/dev/null
	expect "$(find "$place" -printf '%p %m %s %T@\n' | sort)" "$before"
	veneer overlay apply stacked "$STORE/stacked.raw" "$target" >/dev/null
	expect "$(cat "$target/file")" source
	veneer overlay remove stacked >/dev/null
	nothing_left
done

# On two of them the kernel lays no third (overlayfs.rst, FILESYSTEM_MAX_STACK_DEPTH): refused, and all is as it was.
mkdir -p /run/veneer-test/stacked/{upper2,work2}
mount -t overlay overlay -o "lowerdir=$target,upperdir=/run/veneer-test/stacked/upper2,workdir=/run/veneer-test/stacked/work2" "$target"
mkdir "$target/deep"
snapshot
before=$(find "$place" -printf '%p %m %s %T@\n' | sort)
if veneer overlay apply stacked /root/stacked "$target/deep" >/run/veneer-test/stacked.said 2>&1; then fail "a third was laid over two"; fi
expect "$(find "$place" -printf '%p %m %s %T@\n' | sort)" "$before"
expect "$(veneer overlay list)" "no overlay lies over this host"
nothing_left
umount "$target" "$place" /run/veneer-test/stacked
rm -rf "$place" /root/stacked /run/veneer-test/stacked "$STORE"/stacked.*
