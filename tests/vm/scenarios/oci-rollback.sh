# What it shows: a new version that does not come up is left by itself, once, within ten seconds; and by hand.
# Guests: trixie
# Tier: soak
# Timeout: 180

command -v skopeo >/dev/null || skip "skopeo is not installed here"
dir=$(mktemp -d)
skopeo copy --quiet "oci-archive:$TEST_DIR/container/hello.oci.tar" "dir:$dir/image"
mkdir "$dir/root"
for layer in "$dir"/image/????????*; do
	if gunzip -c <"$layer" >"$dir/layer.tar" 2>/dev/null; then tar -xf "$dir/layer.tar" -C "$dir/root"; fi
done
find "$dir/root" -name '.wh.*' -delete
pack() { tar -C "$dir/root" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$dir/new.tar" . && mv "$dir/new.tar" "$dir/app.tar"; }
chmod 755 "$dir"
echo one >"$dir/root/srv/www/index.html"
pack
app hello <<-TOML
	[image]
	oci = "tar:$dir/app.tar"
	[service]
	exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
TOML
reload
snapshot
start hello
eventually 5 get 8080
expect "$(get 8080)" one

# A good one: made beside the running one, used with the restart.
echo two >"$dir/root/srv/www/index.html"
pack
veneer image update hello
expect "$(get 8080)" one
restart hello
eventually 10 get 8080
expect "$(get 8080)" two

# By hand back and no further.
veneer image rollback hello
restart hello
eventually 10 get 8080
expect "$(get 8080)" one
fails_with 'no version before' veneer image rollback hello

# One that exits at once: the one before is there again.
echo three >"$dir/root/srv/www/index.html"
rm -f "$dir/root/bin/httpd"
printf '#!/bin/sh\nexit 3\n' >"$dir/root/bin/httpd"
chmod 755 "$dir/root/bin/httpd"
pack
veneer image update hello
began=$(uptime_now)
systemctl restart app@hello || :
back() { [ "$(get 8080)" = one ]; }
# The figure is in the note; an emulated guest beside others is no measure.
eventually 40 back
note "back in $(awk -v a="$began" -v b="$(uptime_now)" 'BEGIN { printf "%.1f", b - a }') s"
said=$(unit_journal veneer-rollback@hello.service | grep -c 'since the app did not come up') || :
expect "$said" 1
# The next start does not take it again.
stop hello
nothing_left
start hello
eventually 10 back
journal_has veneer-convert@hello.service 'was left before'
stop hello
rm -rf "$dir"
