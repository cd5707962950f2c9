# What it shows: a container image becomes virtual machines, each on a session's disk, started when its agent says so; the agent answers; ten take the room of one.
# Container: yes
# Once: trixie
# Timeout: 420

[ -n "$CONTAINER" ] || skip "machines in an emulated machine take minutes: tools/container run $GUEST microvm"
parts=$TEST_DIR/microvm
[ -s "$parts/vmlinuz" ] || skip "there is no guest's kernel to boot"
example=$TEST_DIR/examples/microvm
count=$(scale 10)

# QEMU is this machine's own: with the libraries it was built for.
cat >/usr/local/bin/qemu-system-x86_64 <<'SH'
#!/bin/sh
usr=/run/veneer-test/host
QEMU_MODULE_DIR=$usr/lib/x86_64-linux-gnu/qemu exec "$usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --inhibit-cache \
	--library-path "$usr/lib/x86_64-linux-gnu" "$usr/bin/qemu-system-x86_64" -L "$usr/share/qemu" -L "$usr/share/seabios" "$@"
SH
chmod 755 /usr/local/bin/qemu-system-x86_64

# A store whose file system shares data.
pool=/srv/veneer
reflink_store
has "$(veneer doctor || :)" "$pool/sessions is on XFS, which shares data (reflink)" || fail "doctor does not say that it can"

# The container image, by buildah; the root of it, with the agent.
cp "$parts/vm-agent" /run/veneer-test/vm-agent
export STORAGE_DRIVER=vfs
policy=/run/veneer-test/policy.json
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$policy"
container=$(buildah from scratch)
buildah copy -q "$container" /bin/busybox /bin/busybox >/dev/null
buildah copy -q "$container" /etc/debian_version /srv/www/index.html >/dev/null
buildah commit -q --signature-policy "$policy" "$container" oci-archive:/run/veneer-test/vm.tar >/dev/null
buildah rm "$container" >/dev/null
veneer image convert oci-archive:/run/veneer-test/vm.tar --format=ext4 --size=128M --bootable \
	--inject=/run/veneer-test/vm-agent:/sbin/vm-agent --output="$pool/images/microvm"

install -D -m 644 "$example/microvm.toml" "$APPS/microvm.toml"
install -m 644 "$example/microvm.env" /etc/veneer/
install -m 644 "$example/microvm@.service" /etc/systemd/system/
install -D -m 755 "$example/microvm-run" /usr/local/lib/veneer/microvm-run
printf 'KERNEL=%s/vmlinuz\nINITRD=%s/initrd\nACCEL=tcg\nMEMORY=128M\n' "$parts" "$parts" >>/etc/veneer/microvm.env
mkdir -p /etc/systemd/system/microvm@.service.d
printf '[Service]\nReadWritePaths=%s/sessions\nTimeoutStartSec=300\n' "$pool" >/etc/systemd/system/microvm@.service.d/pool.conf
reload
said=$(SYSTEMD_UNIT_PATH=/run/systemd/generator: systemd-analyze verify --man=no --recursive-errors=yes microvm@one.service 2>&1)
expect "$said" ''

# ask NAME LINE...: the agent's answers.
ask() {
	python3 - "/run/microvm/$1/agent" "${@:2}" <<'PYTHON'
import socket, sys
port = socket.socket(socket.AF_UNIX)
port.settimeout(60)
port.connect(sys.argv[1])
lines = port.makefile("rw")
for line in sys.argv[2:]:
    print(line, file=lines, flush=True)
    print(lines.readline().rstrip("\n"))
PYTHON
}
# gone NAME...: neither the machine, nor its disk, nor its sockets are there.
gone() {
	local name
	for name in "$@"; do
		[ ! -e "/run/veneer/sessions/microvm/$name" ] || fail "the session of $name is there"
		[ ! -e "/run/microvm/$name" ] || fail "the sockets of $name are there"
		[ ! -e "$pool/sessions/microvm/$name" ] || fail "the disk of $name is there"
		! grep -lzs "microvm/$name/disk.raw" /proc/[0-9]*/cmdline || fail "the machine $name is there"
	done
}
used() { stat -f -c '%b %f %S' "$pool" | awk '{ print ($1 - $2) * $3 }'; }
machines=()
for n in $(seq "$count"); do machines+=("microvm@vm$n"); done

systemctl start microvm@vm1 || fail "$(unit_journal microvm@vm1.service)"
has "$(systemctl show -P StatusText microvm@vm1)" 'vm-agent: ready, process 1'
expect "$(ask vm1 ping)" pong
expect "$(ask vm1 'read /srv/www/index.html')" "$(cat /etc/debian_version)"
expect "$(ask vm1 'read /etc/machine-id')" ''
systemctl stop microvm@vm1
eventually 10 test ! -e /run/veneer/sessions/microvm/vm1
gone vm1

# All at once: what one writes, no other sees.
before=$(used)
begin=$(date +%s)
systemctl start "${machines[@]}" || fail "$(unit_journal 'microvm@vm1.service')"
took=$(($(date +%s) - begin))
for n in $(seq "$count"); do
	expect "$(ask "vm$n" "write /only-$n 1000000" "read /only-$((n % count + 1))")" "$(printf 'written\n\n')"
done
sync
wrote=$(($(used) - before))
# A root written to costs what was written, and metadata of its file system; a copy would be the whole image.
image=$(stat -c '%b' "$pool/images/microvm.raw")
note "$count machines in $took s took $((wrote / 1024)) KiB, with 1000 KiB written by each; the image has $((image / 2)) KiB"
[ "$wrote" -lt $((count * 3 * 1000000)) ] || fail "they took $wrote bytes"

# One is killed, all others stopped: nothing of any is left, and the base is what it was.
systemctl kill --signal=KILL microvm@vm1
eventually 20 test ! -e /run/veneer/sessions/microvm/vm1
systemctl stop "${machines[@]}"
systemctl reset-failed 'microvm@*' || :
no_disks() { [ -z "$(ls "$pool/sessions/microvm" 2>/dev/null)" ]; }
eventually 10 no_disks
for n in $(seq "$count"); do gone "vm$n"; done
veneer image verify "$pool/images/microvm.raw" >/dev/null
rm -f /etc/systemd/system/microvm@.service
rm -rf /etc/systemd/system/microvm@.service.d
reflink_store_gone
