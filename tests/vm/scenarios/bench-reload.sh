# What it shows: what daemon-reload takes with 1000 configured, stopped apps, against the same number of fstab mounts.
# Timeout: 1800
# Tier: soak

apps=1000
count=$(scale 5)
write_apps() {
	mkdir -p "$APPS"
	for i in $(seq "$apps"); do
		cat >"$APPS/app$i.toml" <<T
[app]
description = "App number $i"
[image]
file = "/var/lib/veneer/images/app$i.raw"
[overlay]
mode = "volatile"
size = "64M"
[service]
exec = ["/usr/bin/app", "--number", "$i"]
T
	done
}
write_fstab() {
	cp /etc/fstab /run/veneer-test/fstab
	for i in $(seq "$apps"); do echo "/dev/disk/by-label/app$i /srv/apps/app$i erofs ro,nodev,noauto 0 0"; done >/run/veneer-test/more
	# As many as the apps have: image, tmpfs and overlay.
	for i in $(seq $((apps * 3))); do echo "/dev/disk/by-label/app$i /srv/apps/app$i erofs ro,nodev,noauto 0 0"; done >/run/veneer-test/more3
}
once() {
	local begin
	begin=$(date +%s%N)
	systemctl daemon-reload
	echo $((($(date +%s%N) - begin) / 1000000)) >>"/run/veneer-test/reload.$1"
}
measure() { for _ in $(seq "$count"); do once "$1"; done; }
median() { sort -n "/run/veneer-test/reload.$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

rm -f /run/veneer-test/reload.*
write_fstab
for round in 1 2; do
	rm -rf "$APPS"; reload; measure none
	write_apps; reload; measure apps
	rm -rf "$APPS"
	cat /run/veneer-test/fstab /run/veneer-test/more >/etc/fstab; reload; measure fstab-noauto
	cat /run/veneer-test/fstab /run/veneer-test/more3 >/etc/fstab; reload; measure fstab-noauto-3
	sed 's/,noauto/,nofail/' /run/veneer-test/more | cat /run/veneer-test/fstab - >/etc/fstab; reload; measure fstab-auto
	cp /run/veneer-test/fstab /etc/fstab; reload
	note "round $round done"
done
for kind in none apps fstab-noauto fstab-noauto-3 fstab-auto; do note "daemon-reload $kind: median $(median "$kind") ms"; done
note "apps / fstab mounts = $(awk -v a="$(median apps)" -v b="$(median fstab-auto)" 'BEGIN { printf "%.2f", a / b }'), noauto: $(awk -v a="$(median apps)" -v b="$(median fstab-noauto)" 'BEGIN { printf "%.2f", a / b }'), three for each app: $(awk -v a="$(median apps)" -v b="$(median fstab-noauto-3)" 'BEGIN { printf "%.2f", a / b }') (bar 1.2)"
