# What it shows: a soft reboot while PID 1 and services run from overlays is clean; persistent and declared ones are back, transient ones gone.
# Once: trixie
# Timeout: 240

target=/usr/share/veneer-overlay-soft
libraries=/usr/lib/x86_64-linux-gnu
before_soft_reboot() {
	local name
	for name in keep lose declared; do
		mkdir -p "$target/$name" "/root/overlay-soft/$name"
		echo base >"$target/$name/file"
		echo source >"/root/overlay-soft/$name/file"
		cp /bin/sleep "/root/overlay-soft/$name/hold"
	done
	veneer overlay apply soft-keep /root/overlay-soft/keep "$target/keep" --writable --persistent --size=2M
	echo written >"$target/keep/written"
	sync -f "$target/keep/written"
	veneer overlay apply soft-lose /root/overlay-soft/lose "$target/lose"
	mkdir -p /etc/veneer/overlays.d
	printf '[overlay]\nsource = "/root/overlay-soft/declared"\ntarget = "%s"\n' "$target/declared" \
		>/etc/veneer/overlays.d/soft-declared.toml
	systemctl daemon-reload
	systemctl start "$target/declared"
	for name in keep lose declared; do systemd-run --quiet --unit="soft-hold-$name" "$target/$name/hold" 10000; done
	# PID 1 runs from one: it loads its libraries anew from below the overlay.
	mkdir -p /root/overlay-soft/libraries
	echo source >/root/overlay-soft/libraries/veneer-soft
	veneer overlay apply soft-libraries /root/overlay-soft/libraries "$libraries" --force-target="$libraries"
	systemctl daemon-reexec
	expect "$(cat "$libraries/veneer-soft")" source
	expect "$(veneer overlay list | grep -c '^soft-')" 4
	has "$(veneer overlay remove soft-libraries --dry-run)" 'systemd (1):' || fail "PID 1 does not run from it"
	# A soft reboot is no new boot to the journal, which holds other scenarios' faults too.
	journalctl --sync
	journalctl -n 1 -o cat --show-cursor | sed -n 's/^-- cursor: //p' >/root/overlay-soft/cursor
}

after_soft_reboot() {
	systemctl is-active --quiet veneer-overlay-recover.service
	expect "$(cat "$target/keep"/{file,written} | paste -sd ' ')" "source written"
	expect "$(cat "$target/lose/file")" base
	expect "$(cat "$target/declared/file")" source
	[ ! -e "$libraries/veneer-soft" ] || fail "the transient overlay is there"
	expect "$(veneer overlay list | grep -o '^soft-[a-z]*' | sort | paste -sd ' ')" "soft-declared soft-keep"
	expect "$(findmnt -rno TARGET | grep -c "^$target\|^$libraries")" 2
	expect "$(systemctl --failed --no-legend --plain)" ''
	said=$(journalctl -o cat --after-cursor="$(cat /root/overlay-soft/cursor)" | grep -iE 'fail(ed|ure).*(unmount|umount)|unmount.*fail|timed out' || :)
	expect "$said" ''
	for name in keep declared; do veneer overlay remove "soft-$name"; done
	rm -r /etc/veneer/overlays.d "$target" /root/overlay-soft
	expect "$(find /run/veneer/overlays /var/lib/veneer/host-overlays -mindepth 1 ! -name .lock)" ""
}
