# What it shows: persistent and declared overlays come back with the boot, transient ones do not, and a changed base is not passed over.
# Container: yes
# Once: trixie
# Timeout: 180

target=/usr/share/veneer-overlay-boot
before_reboot() {
	local name
	for name in keep hold warn lose declared; do
		mkdir -p "$target/$name" "/root/overlay-boot/$name"
		echo base >"$target/$name/file"
		echo source >"/root/overlay-boot/$name/file"
	done
	for name in keep hold warn; do
		veneer overlay apply "boot-$name" "/root/overlay-boot/$name" "$target/$name" --writable --persistent \
			--size=2M --base-changed="${name/keep/hold}"
		echo written >"$target/$name/written"
	done
	veneer overlay apply boot-lose /root/overlay-boot/lose "$target/lose"
	mkdir -p /etc/veneer/overlays.d
	printf '[overlay]\nsource = "/root/overlay-boot/declared"\ntarget = "%s"\n' "$target/declared" \
		>/etc/veneer/overlays.d/boot-declared.toml
	# The base of two is changed while it is hidden: as an update would that is made offline.
	mount --bind / /mnt
	for name in hold warn; do echo "new base" >"/mnt$target/$name/file"; done
	umount /mnt
}

after_reboot() {
	systemctl is-active --quiet veneer-overlay-recover.service
	expect "$(cat "$target"/{keep,warn}/{file,written} | paste -sd ' ')" "source written source written"
	expect "$(cat "$target/lose/file")" base
	expect "$(cat "$target/declared/file")" source
	expect "$(cat "$target/hold/file")" "new base"
	has "$(veneer overlay list)" "boot-hold is held: what it hides in $target/hold has changed"
	has "$(journalctl -b -o cat -u veneer-overlay-recover.service)" "boot-warn lies over something else than before" || fail "the journal of the boot does not say it"
	veneer overlay accept boot-hold
	expect "$(cat "$target/hold/file" "$target/hold/written" | paste -sd ' ')" "source written"
	for name in keep hold warn declared; do veneer overlay remove "boot-$name"; done
	rm -r /etc/veneer/overlays.d
	expect "$(find /run/veneer/overlays /var/lib/veneer/host-overlays -mindepth 1 ! -name .lock)" ""
}
