# What it shows: autostarted apps come up at boot, with their images on a /var that is mounted late, and so do enabled ones.

before_reboot() {
	image auto
	app auto <<'T'
[app]
autostart = true
[image]
file = "auto"
[overlay]
mode = "persistent"
[service]
exec = ["/bin/httpd", "-f", "-p", "8082", "-h", "/srv/www"]
T
	hello_app enabled 'sleep inf'
	hello_app idle 'sleep inf'
	reload
	systemctl enable app@enabled
}

after_reboot() {
	eventually 20 running auto
	eventually 20 running enabled
	eventually 5 get 8082
	[ "$(systemctl is-active app@idle)" = inactive ] || fail "idle was started"
	has "$(systemctl show -P After 'run-veneer-apps-auto-image.mount')" veneer-verity@auto.service || fail "no order"
	has "$(systemctl show -P After veneer-verity@auto.service)" var.mount || fail "not ordered after /var"
	! journalctl -b --no-pager -o cat | grep -iE 'ordering cycle|breaking ordering' || fail "an ordering cycle"
	stop auto enabled
	systemctl disable app@enabled
}
