# What it shows: every verb over a /usr that is an EROFS image on dm-verity: nobody can write to it, and all of it works.
# Container: yes
# Timeout: 500

. "$TEST_DIR/usr.sh"
usr_image lib/modules
# It lies over the other one, and whatever is started from now on comes from it.
if [ -n "${CONTAINER:-}" ]; then
	mount -o loop,ro "$USR_IMAGE" /usr
else
	# The image has no modules.
	modprobe -a overlay loop
	veritysetup open "$USR_IMAGE" veneer-usr "$USR_IMAGE.verity" "$(usr_root)"
	mount -o ro /dev/mapper/veneer-usr /usr
fi
# What has opened something of it meanwhile lets go: udev its database, PID 1 the program that it starts others by.
closed() {
	systemctl daemon-reexec
	systemctl restart systemd-udevd.service
	eventually 10 veritysetup close veneer-usr
}
put_back() {
	umount -l /usr
	[ -n "${CONTAINER:-}" ] || closed
	rm -rf "$USR_IMAGE" "$USR_IMAGE.verity" "$USR_TARGET" /root/usr "$STORE"/usr-change.* /root/usr.overlay
}
trap put_back EXIT
usr_verbs
put_back
trap - EXIT
