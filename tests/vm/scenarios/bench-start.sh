# What it shows: how long a start takes against RootImage=/RootVerity= with the same image, program and sandbox, and against a plain service.
# Timeout: 900
# Tier: soak

count=$(scale 11)
image full full
roothash=$(roothash full)
# RootVerity= would take the signature to the kernel, which does not know the test key.
rm "$STORE/full.roothash.p7s"
app full <<'T'
[image]
file = "/var/lib/veneer/images/full.raw"
skeleton = false
[service]
exec = ["/bin/answer"]
T
app skel <<'T'
[image]
file = "/var/lib/veneer/images/full.raw"
[service]
exec = ["/bin/answer"]
T
app vola <<'T'
[image]
file = "/var/lib/veneer/images/full.raw"
[overlay]
mode = "volatile"
[service]
exec = ["/bin/answer"]
T

# The strict profile as it is in app@.service, for the peer as well; but for PrivateIPC=: in there libcryptsetup waits
# for ever for udev's answer (a System V semaphore).
sandbox() {
	sed -n '/^\[Service\]/,/^\[Install\]/p' /usr/lib/systemd/system/app@.service |
		grep -vE '^(\[|#|Type=|Exec|RootDirectoryStartOnly|PrivateIPC=)' | sed 's/%i/peer/'
}
unit() {
	local name=$1
	{ printf '[Service]\nType=exec\nExecStart=/bin/answer\n'; cat; } >"/run/systemd/system/$name.service"
}
mkdir -p /run/bench
mount -o loop,ro "$STORE/full.raw" /run/bench
cp /run/bench/bin/answer /bin/answer
umount /run/bench
{ sandbox; printf 'User=app-peer\nRootImage=%s/full.raw\nRootVerity=%s/full.verity\nRootHash=%s\n' "$STORE" "$STORE" "$roothash"; } | unit peer-rootimage
unit plain </dev/null
sandbox | unit plain-sandboxed
reload

once() {
	local begin
	begin=$(date +%s%N)
	systemctl start "$1"
	echo $((($(date +%s%N) - begin) / 1000)) >>"/run/veneer-test/times.$1"
	systemctl stop "$1"
	sleep 0.3
}
units="peer-rootimage.service app@full.service plain.service plain-sandboxed.service app@skel.service app@vola.service"
for unit in $units; do systemctl start "$unit"; systemctl stop "$unit"; rm -f "/run/veneer-test/times.$unit"; done
for _ in $(seq "$count"); do for unit in $units; do once "$unit"; done; done
median() { sort -n "/run/veneer-test/times.$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
for unit in $units; do note "$unit median $(($(median "$unit") / 1000)) ms of $count"; done
ratio=$(awk -v a="$(median app@full.service)" -v b="$(median peer-rootimage.service)" 'BEGIN { printf "%.2f", a / b }')
note "app without overlay / RootImage= = $ratio (bar 1.2)"
rm -f /run/systemd/system/{peer-rootimage,plain,plain-sandboxed}.service /bin/answer
