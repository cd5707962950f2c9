# What it shows: overlays lie over the host, are listed, written, reset, rolled back and removed; nothing stays.
# Container: yes
# Timeout: 120

target=/usr/share/veneer-host
rm -rf "$target" /root/site
mkdir -p "$target/both" /root/site/both
echo base >"$target/greeting"
echo base >"$target/other"
echo mine >/root/site/greeting
echo new >/root/site/both/new
chmod 0700 /root/site
before=$(find "$target" -printf '%p %m %u %s %T@\n' | sort)
snapshot
field() { veneer overlay list --json=short | grep -o "{\"name\":\"$1\"[^}]*" | grep -o "\"$2\":[^,]*" | cut -d: -f2- | tr -d '"'; }

# --- transient, read-only
has "$(veneer overlay apply site /root/site "$target" --dry-run)" "start usr-share-veneer\\x2dhost.mount"
expect "$(veneer overlay list)" "no overlay lies over this host"
veneer overlay apply site /root/site "$target" --description="The site"
expect "$(cat "$target/greeting" "$target/other" "$target/both/new" | paste -sd ' ')" "mine base new"
# The target keeps its own mode, whatever the source's is.
expect "$(stat -c %a "$target")" 755
systemctl is-active --quiet 'usr-share-veneer\x2dhost.mount' veneer-overlay-host@site.service
has "$(systemctl status 'usr-share-veneer\x2dhost.mount')" "The site (overlay site)"
expect "$(field site state) $(field site mode) $(field site user)" "active read-only root"
fails_with "Read-only file system" touch "$target/x"
# The source was copied: what becomes of it is nobody's business any more.
echo changed >/root/site/greeting
expect "$(cat "$target/greeting")" mine
fails_with "nothing was written into it" veneer overlay reset site
# Applied again, it has a new version in the place of the old one.
has "$(veneer overlay apply site /root/site "$target")" "version 2 lies over $target"
expect "$(cat "$target/greeting")" changed
veneer overlay rollback site
expect "$(cat "$target/greeting")" mine
expect "$(field site version)" 3
# A daemon-reload changes nothing.
reload
expect "$(cat "$target/greeting")" mine
veneer overlay remove site
expect "$(find "$target" -printf '%p %m %u %s %T@\n' | sort)" "$before"
nothing_left

# --- writable, transient and persistent; a single file
for lifetime in "" --persistent; do
	veneer overlay apply site /root/site "$target" --writable --size=4M $lifetime
	echo written >"$target/mine"
	rm "$target/other"
	mkdir "$target/dir" && mv "$target/greeting" "$target/dir/"
	fails_with "No space left" sh -c "head -c 8M /dev/zero >$target/big"
	rm "$target/big"
	head -c 1M /dev/zero >"$target/mib"
	sync -f "$target/mib"
	used=$(field site used) left=$(field site left)
	[ $((used >> 20)) = 1 ] && [ $((left >> 20)) = 2 ] || fail "1 of 4 MiB is written ($lifetime): used $used, left $left"
	rm "$target/mib"
	veneer overlay reset site
	expect "$(ls "$target" | paste -sd ' ')" "both greeting other"
	veneer overlay rollback site
	expect "$(ls "$target" | paste -sd ' ')" "both dir mine"
	expect "$(cat "$target/mine" "$target/dir/greeting" | paste -sd ' ')" "written changed"
	veneer overlay remove site
	nothing_left
	expect "$(find "$target" -printf '%p %m %u %s %T@\n' | sort)" "$before"
done
# The longest name there may be, whose layers have long paths.
long=$(printf 'n%.0s' $(seq 50))
veneer overlay apply "$long" /root/site "$target" >/dev/null
veneer overlay apply "$long" /root/site "$target" >/dev/null
expect "$(cat "$target/greeting")" changed
veneer overlay remove "$long" >/dev/null
fails_with "1 to 50 of" veneer overlay apply "n$long" /root/site "$target"
nothing_left
echo patched >/root/patched
veneer overlay apply one /root/patched "$target/other" --writable
expect "$(cat "$target/other")" patched
echo more >>"$target/other"
veneer overlay reset one
expect "$(cat "$target/other")" patched
veneer overlay remove one
expect "$(cat "$target/other")" base

# --- what is refused
fails_with "is critical" veneer overlay apply x /root/site /usr
fails_with "--force-target=/etc/ssl" veneer overlay apply x /root/site /etc/ssl
fails_with "nothing can be laid over /" veneer overlay apply x /root/site / --force-target=/
fails_with "is not there" veneer overlay apply x /root/site /usr/share/none
fails_with "there is no source" veneer overlay apply x /root/none "$target"
fails_with "is not the name of an overlay" veneer overlay apply ../x /root/site "$target"
ln -sfn "$target" /root/link
has "$(veneer overlay apply site /root/site /root/link)" "/root/link leads there"
fails_with "lies over $target already" veneer overlay apply y /root/site "$target"
fails_with "lies within $target" veneer overlay apply y /root/site "$target/both"

# --- busy
(cd "$target" && exec sleep 60) &
holder=$!
holds() { [ "$(readlink "/proc/$holder/cwd")" = "$target" ]; }
eventually 5 holds
fails_with "sleep ($holder): working directory" veneer overlay remove site
expect "$(field site state)" active
veneer overlay remove site --lazy
expect "$(readlink "/proc/$holder/cwd" | wc -l)" 1
kill "$holder"
nothing_left
