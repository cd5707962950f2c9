# What it shows: persistent and declared overlays come back with the boot, transient ones do not, a changed base is not passed over, and what runs from one stops first.
# Container: yes
# Once: trixie
# Timeout: 180

target=/usr/share/veneer-overlay-boot
before_reboot() {
	local name
	for name in keep hold warn lose declared guarded; do
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
	printf '[overlay]\nsource = "/root/overlay-boot/guarded"\ntarget = "%s"\npersistent = true\nbase-changed = "hold"\n' \
		"$target/guarded" >/etc/veneer/overlays.d/boot-guarded.toml
	systemctl daemon-reload
	systemctl start "$target/guarded"
	# A service that stops by a program of one.
	cp /bin/cp "$target/keep/copy"
	printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=%s/copy %s/file /root/overlay-boot.stopped\n' \
		"$target/keep" "$target/keep" >/run/systemd/system/overlay-boot-stop.service
	systemctl daemon-reload
	systemctl start overlay-boot-stop.service
	# The base of three is changed while it is hidden: as an update would that is made offline.
	mount --bind / /mnt
	for name in hold warn guarded; do echo "new base" >"/mnt$target/$name/file"; done
	umount /mnt
}

after_reboot() {
	local said
	systemctl is-active --quiet veneer-overlay-recover.service
	expect "$(cat "$target"/{keep,warn}/{file,written} | paste -sd ' ')" "source written source written"
	expect "$(cat "$target/lose/file")" base
	expect "$(cat "$target/declared/file")" source
	expect "$(cat /root/overlay-boot.stopped)" source
	expect "$(cat "$target/hold/file")" "new base"
	has "$(veneer overlay list)" "boot-hold is held: what it hides in $target/hold has changed"
	has "$(journalctl -b -o cat -u veneer-overlay-recover.service)" "boot-warn lies over something else than before" || fail "the journal of the boot does not say it"
	# What the journal says to do.
	said=$(journalctl -b -o cat -u veneer-overlay-recover.service | grep 'boot-hold is held back')
	has "$said" "veneer overlay diff boot-hold, then veneer overlay accept boot-hold"
	said=$(veneer overlay diff boot-hold)
	has "$said" "A w -rw-r--r--" && has "$said" "$target/hold/written" || fail "no written file in $said"
	has "$said" "C s -rw-r--r--" && has "$said" "$target/hold/file" || fail "no changed file in $said"
	fails_with "Run veneer overlay accept boot-hold first" veneer overlay apply boot-hold /root/overlay-boot/hold \
		"$target/hold" --writable --persistent
	veneer overlay accept boot-hold
	expect "$(cat "$target/hold/file" "$target/hold/written" | paste -sd ' ')" "source written"
	expect "$(cat "$target/guarded/file")" "new base"
	has "$(veneer overlay list)" "boot-guarded is held: what it hides in $target/guarded has changed"
	veneer overlay accept boot-guarded
	expect "$(cat "$target/guarded/file")" source
	for name in keep hold warn declared guarded; do veneer overlay remove "boot-$name"; done
	rm -r /etc/veneer/overlays.d /root/overlay-boot.stopped
	expect "$(find /run/veneer/overlays /var/lib/veneer/host-overlays -mindepth 1 ! -name .lock)" ""
}
