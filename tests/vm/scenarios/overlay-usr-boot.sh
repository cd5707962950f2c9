# What it shows: a guest that boots with /usr on EROFS and dm-verity: every verb over it.
# Tier: alone
# Timeout: 900

. "$TEST_DIR/usr.sh"
before_reboot() {
	usr_image
	cat >/etc/systemd/system/veneer-test-usr.service <<-UNIT
		[Unit]
		DefaultDependencies=no
		After=systemd-remount-fs.service modprobe@dm_mod.service modprobe@loop.service
		Wants=modprobe@dm_mod.service modprobe@loop.service
		RequiresMountsFor=$USR_IMAGE
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/usr/sbin/veritysetup open $USR_IMAGE veneer-usr $USR_IMAGE.verity $(usr_root)
	UNIT
	cat >/etc/systemd/system/usr.mount <<-UNIT
		[Unit]
		DefaultDependencies=no
		Requires=veneer-test-usr.service
		After=veneer-test-usr.service
		Before=local-fs.target
		[Mount]
		What=/dev/mapper/veneer-usr
		Where=/usr
		Type=erofs
		Options=ro
		[Install]
		RequiredBy=local-fs.target
	UNIT
	systemctl enable usr.mount
}

after_reboot() {
	expect "$(findmnt -rno FSTYPE,SOURCE /usr)" 'erofs /dev/mapper/veneer-usr'
	has "$(dmsetup table veneer-usr)" ' verity 1 '
	usr_verbs
}
