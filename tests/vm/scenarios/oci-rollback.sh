# What it shows: a new version that does not come up is left by itself, once, for the one that it came from.
# Once: trixie
# Timeout: 300

# A tar is a source as well, and needs no tool: the versions differ in one page, and the last one in its program.
dir=/srv/oci-rollback
mkdir -p "$dir/root"
tar -xf "$TEST_DIR/container/hello.docker.tar" -C "$dir" ./1/layer.tar
tar -xf "$dir/1/layer.tar" -C "$dir/root"
pack() { tar -C "$dir/root" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$dir/new.tar" . && mv "$dir/new.tar" "$dir/app.tar"; }
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

# A version that is left by hand: no failure leads to it.
if [ -n "${SOAK:-}" ]; then
	echo two >"$dir/root/srv/www/index.html"
	pack
	veneer image update hello
	expect "$(get 8080)" one
	restart hello
	eventually 10 get 8080
	expect "$(get 8080)" two
	veneer image rollback hello
	restart hello
	eventually 10 get 8080
	expect "$(get 8080)" one
	fails_with 'no version before' veneer image rollback hello
fi

# One that exits at once: the one before is there again.
rm -f "$dir/root/bin/httpd"
printf '#!/bin/sh\nexit 3\n' >"$dir/root/bin/httpd"
chmod 755 "$dir/root/bin/httpd"
pack
veneer image update hello
systemctl restart app@hello || :
back() { [ "$(get 8080)" = one ]; }
# The figure is in the note; an emulated guest beside others is no measure.
eventually 40 back
at() { journalctl --no-pager -o short-unix --since "$SCENARIO_BEGAN" -u app@hello.service | grep "$1" | tail -n 1 | cut -d' ' -f1; }
note "up again $(awk -v a="$(at "Failed with result")" -v b="$(at 'Started app@hello')" 'BEGIN { printf "%.1f", b - a }') s after the failure"
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
