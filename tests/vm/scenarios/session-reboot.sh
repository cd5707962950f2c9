# What it shows: what a machine that went down has left of sessions is reaped by the next boot, and sessions that the boot wants are made anew.
# Once: trixie
# Tier: soak

dir=/var/lib/veneer/sessions/reb
unit() { echo "veneer-clone-reb@$1.service"; }
before_reboot() {
	mkdir -p /opt/reb
	echo base >/opt/reb/file
	app reb <<-'T'
	[image]
	directory = "/opt/reb"
	[session]
	kind = "tree"
	[service]
	exec = ["/bin/true"]
	T
	# A unit that needs a session has three lines for it.
	cat >/etc/systemd/system/reb-user.service <<-U
	[Unit]
	BindsTo=$(unit wanted)
	After=$(unit wanted)
	PropagatesStopTo=$(unit wanted)
	[Service]
	ExecStart=/bin/sleep infinity
	[Install]
	WantedBy=multi-user.target
	U
	# Nothing is removed when these stop: as if there had been no time for it.
	for name in wanted lost; do
		mkdir -p "/run/systemd/system/$(unit "$name").d"
		printf '[Service]\nExecStopPost=\n' >"/run/systemd/system/$(unit "$name").d/none.conf"
	done
	reload
	systemctl enable reb-user
	systemctl start reb-user "$(unit lost)"
	for name in wanted lost; do echo "$name" >"/run/veneer/sessions/reb/$name/root/file"; done
	sync
}

after_reboot() {
	expect "$(systemctl is-active "$(unit wanted)" reb-user | sort -u)" active
	expect "$(cat /run/veneer/sessions/reb/wanted/root/file)" base
	expect "$(ls "$dir")" wanted
	journal_of_reaper=$(journalctl -b -o cat -u veneer-session-reap.service)
	has "$journal_of_reaper" "removed what was left of the session lost of reb" || fail "the reaper says: $journal_of_reaper"
	systemctl disable --now reb-user
	rm /etc/systemd/system/reb-user.service
	eventually 10 test ! -e "$dir"
	rm -r /opt/reb "$APPS/reb.toml"
}
