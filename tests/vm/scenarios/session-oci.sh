# What it shows: an app's file alone makes disks of a container image, with an agent, links and directories; one image for all sessions.
# Container: yes
# Timeout: 180

made=$TEST_DIR/container
place=/run/veneer/sessions
dir=/srv/session-oci
mkdir -p "$dir" && cp "$made/hello.oci.tar" "$dir/"
cp /bin/busybox "$dir/agent"
echo 'port = 1' >"$dir/agent.conf"
machines() {
	app machines <<-T
		[image]
		oci = "oci-archive:$dir/hello.oci.tar"
		type = "ext4"
		size = "$1"
		bootable = true
		[inject]
		agent = "$dir/agent"
		[[inject.directory]]
		target = "/var/lib/agent"
		mode = "0750"
		uid = 7
		[[inject.directory]]
		target = "/bin"
		[[inject.file]]
		source = "$dir/agent.conf"
		target = "/etc/agent.conf"
		mode = "0600"
		[[inject.link]]
		target = "/usr/bin/agent"
		to = "../../sbin/vm-agent"
		[session]
		kind = "image"
		[service]
		exec = ["/sbin/init"]
	T
}
# The same container image, as what apps usually have.
app pages <<T
[image]
oci = "oci-archive:$dir/hello.oci.tar"
[service]
exec = ["/bin/httpd", "-f"]
T
machines 64M
reload
verify_units
snapshot
unit() { echo "veneer-clone-machines@$1.service"; }

systemctl start "$(unit one)" "$(unit two)" || fail "$(unit_journal veneer-convert@machines.service) $(unit_journal "$(unit one)")"
journal_has veneer-convert@machines.service 'version 1'
disk=$place/machines/one/disk.raw
expect "$(stat -L -c %s "$disk")" $((64 << 20))
e2fsck -fn "$disk" >/dev/null 2>&1 || fail "$(e2fsck -fn "$disk" 2>&1)"
of_disk() { debugfs -R "$1" "$disk" 2>/dev/null; }
has "$(of_disk 'stat /sbin/vm-agent')" 'Mode:  0755'
has "$(of_disk 'stat /var/lib/agent')" 'Mode:  0750'
has "$(of_disk 'stat /var/lib/agent')" 'User:     7'
has "$(of_disk 'stat /etc/agent.conf')" 'Mode:  0600'
has "$(of_disk 'stat /usr/bin/agent')" 'Fast link dest: "../../sbin/vm-agent"'
has "$(of_disk 'stat /sbin/init')" 'Type: symlink'
expect "$(of_disk 'cat /etc/agent.conf')" 'port = 1'
expect "$(of_disk 'cat /etc/machine-id')" ''
has "$(of_disk 'cat /srv/www/index.html')" 'hello'

# Both are copies of one image of the store, and the app that has the container image as it is has another.
systemctl start veneer-convert@pages
expect "$(find "$STORE" -name 'sha256-*.raw' | wc -l)" 2
has "$(veneer image list)" 'machines 1 (current)'
expect "$(veneer image inspect app:machines --json=short | grep -o '"format":"[a-z0-9]*"')" '"format":"ext4"'
veneer image verify app:machines >/dev/null

# Another size is another image, for the sessions that begin after it; what there is stays.
machines 80M
reload
systemctl start "$(unit three)" || fail "$(unit_journal "$(unit three)")"
expect "$(stat -L -c %s "$place/machines/three/disk.raw" "$disk" | paste -sd ' ')" "$((80 << 20)) $((64 << 20))"

# What cannot be is said by the unit that makes the image, and no session is made.
machines 1M
reload
fails_with '' systemctl start "$(unit four)"
journal_has veneer-convert@machines.service 'its size is given as 1048576'
[ ! -e "$place/machines/four" ] || fail "a session was made of nothing"
systemctl stop "$(unit one)" "$(unit two)" "$(unit three)"

# A source without a digest is made again when its image is to be another.
mkdir "$dir/root" && cp -a "$dir/agent" "$dir/root/init"
for kind in erofs ext4; do
	app plain <<-T
		[image]
		oci = "dir:$dir/root"
		type = "$kind"
		[service]
		exec = ["/init"]
	T
	reload
	systemctl restart veneer-convert@plain || fail "$(unit_journal veneer-convert@plain.service)"
	expect "$(veneer image inspect app:plain --json=short | grep -o '"format":"[a-z0-9]*"')" "\"format\":\"$kind\""
done

# By hand: all of it from one manifest.
cat >"$dir/manifest.toml" <<T
[inject]
agent = "$dir/agent"
[[inject.link]]
target = "/srv/link"
to = "www"
T
veneer image convert "oci-archive:$dir/hello.oci.tar" --manifest="$dir/manifest.toml" --output="$dir/by-hand" >/dev/null
has "$(dump.erofs --path=/srv/link "$dir/by-hand.raw" 2>/dev/null)" 'symlink'
echo 'nonsense = 1' >>"$dir/manifest.toml"
fails_with "$dir/manifest.toml:6:1" veneer image convert "oci-archive:$dir/hello.oci.tar" --manifest="$dir/manifest.toml" --output="$dir/none"
[ ! -e "$dir/none.raw" ] || fail "an image was made in spite of a mistake"

systemctl reset-failed
rm -f "$APPS/machines.toml" "$APPS/pages.toml" "$APPS/plain.toml"
reload
veneer image prune --all >/dev/null
rm -rf "$dir"
nothing_left
