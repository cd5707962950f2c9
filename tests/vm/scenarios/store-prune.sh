# What it shows: prune keeps what is named, masked, pinned, loaded, mounted or looped, and removes the rest; what cannot be read stops it.
# Container: yes
# Timeout: 180

in_time veneer-prune.service
prune=/usr/libexec/veneer/veneer-prune
there() { [ -e "$STORE/$1.raw" ] || fail "$1 is gone"; }
gone() { [ -z "$(find "$STORE" -name "*$1*")" ] || fail "$1 is still there: $(find "$STORE" -name "*$1*")"; }
# ends CODE COMMAND...
ends() {
	local wanted=$1 code=0
	shift
	"$@" || code=$?
	expect "$code" "$wanted"
}

for name in named masked pinned unit looped mounted alias idle; do image "$name"; done
ln "$STORE/named.raw" "$STORE/second.raw"
rm "$STORE"/alias.*
ln -s pinned.raw "$STORE/alias.raw"
: >"$STORE/.killed.raw.new"
: >"$STORE/lonely.verity"

app named <<-'TOML'
	[image]
	file = "named"
	[service]
	exec = ["/bin/answer"]
TOML
mkdir -p /usr/lib/veneer/apps.d
printf '[image]\nfile = "/var/lib/veneer/images/masked.raw"\n[service]\nexec = ["/x"]\n' >/usr/lib/veneer/apps.d/off.toml
: >/etc/veneer/apps.d/off.toml
veneer image pin pinned --reason 'for the auditors'
printf '[Service]\nType=oneshot\nExecStart=/bin/false\nRootImage=%s/unit.raw\n' "$STORE" >/run/systemd/system/store-unit.service
systemctl daemon-reload
systemctl start store-unit 2>/dev/null || :
loop=$(losetup -f --show -r "$STORE/looped.raw")
mkdir -p /run/store-mount
touch /run/store-bound
mount --bind "$STORE/mounted.raw" /run/store-bound

# What is shown is what is done.
"$prune" --dry-run | tee /run/store-shown
has "$(cat /run/store-shown)" 'for the auditors'
has "$(cat /run/store-shown)" "device $loop"
has "$(cat /run/store-shown)" '/usr/lib/veneer/apps.d/off.toml:2'
has "$(cat /run/store-shown)" 'unit store-unit.service (failed)'
has "$(cat /run/store-shown)" 'mounted at /run/store-bound'
has "$(cat /run/store-shown)" 'remove image idle'
there idle

# A broken file, and one that cannot be understood: nothing goes.
printf '[image\n' >/etc/veneer/apps.d/broken.toml
ends 75 "$prune" 2>/run/store-said
has "$(cat /run/store-said)" 'broken.toml:1'
there idle
rm /etc/veneer/apps.d/broken.toml

# By its unit, in its sandbox: too young to go; then by hand.
systemctl start veneer-prune.service || fail "$(unit_journal veneer-prune.service)"
there idle
veneer image prune
for name in named second masked pinned alias unit looped mounted; do there "$name"; done
for name in idle killed lonely; do gone "$name"; done
[ -z "$(ls /var/lib/veneer/trash)" ] || fail 'the trash is not empty'
veneer image list
for name in named masked pinned unit looped mounted; do veneer image verify "$name" >/dev/null || fail "$name is not whole"; done

# By the unit, with veneer.toml: old enough.
image idle
printf '[prune]\nolder-than = "0"\n' >/etc/veneer/veneer.toml
systemctl start veneer-prune.service || fail "$(unit_journal veneer-prune.service)"
gone idle
journal_has veneer-prune.service 'remove image idle'

# A full disk: what nobody needs goes when an image comes, and nothing else.
printf '[prune]\nmin-free = "900T"\n' >/etc/veneer/veneer.toml
systemctl start veneer-prune-full.path
image idle
eventually 10 test ! -e "$STORE/idle.raw"
systemctl stop veneer-prune-full.path
# And when a pull fails, for lack of room or otherwise: what it had worked in goes from among the blobs.
image idle
/usr/libexec/veneer/veneer-pull --retries=0 docker://127.0.0.1:1/none:1 2>/dev/null && fail 'there is no such registry'
there idle
systemctl start veneer-prune-full.path
/usr/libexec/veneer/veneer-pull --retries=0 docker://127.0.0.1:1/none:1 2>/dev/null && fail 'there is no such registry'
eventually 10 test ! -e "$STORE/idle.raw"
systemctl stop veneer-prune-full.path
rm /etc/veneer/veneer.toml
there named

# What is in use is not removed by hand either.
fails_with 'is in use' veneer image rm named
losetup -d "$loop"
umount /run/store-bound
eventually 5 veneer image rm looped mounted
gone looped

# Nothing at all is in use: that is no licence.
veneer image unpin pinned
rm -f /etc/veneer/apps.d/*.toml /usr/lib/veneer/apps.d/off.toml /run/systemd/system/store-unit.service
systemctl daemon-reload
systemctl reset-failed
ends 75 "$prune"
there named
"$prune" --all
gone named
