# What it shows: an upgrade of Veneer's package with apps running disturbs none of them, and stops leave nothing.
# Container: yes
# Timeout: 180

. "$TEST_DIR/package.sh"
package_save
trap package_restore EXIT

# The new version has other programs (other inodes), and says something new in its template.
package_change_2() { sed -i 's/^SyslogIdentifier=%i/&\nLogExtraFields=VENEER_VERSION=2/' "$1/usr/lib/systemd/system/app@.service"; }

pid() { systemctl show -P MainPID "app@$1.service"; }

two_apps() {
	local id port=8080
	for id in plain volatile; do
		image "$id"
		app "$id" <<-TOML
			[image]
			file = "/var/lib/veneer/images/$id.raw"
			[service]
			exec = ["/bin/httpd", "-f", "-p", "$port", "-h", "/srv/www"]
		TOML
		port=$((port + 1))
	done
	printf '[overlay]\nmode = "volatile"\nwritable = ["/srv/www"]\n' >>"$APPS/volatile.toml"
}

old=$(package_build 1)
new=$(package_build 2)
dpkg -i "$old"
two_apps
reload
snapshot
start plain volatile
eventually 5 get 8080
eventually 5 get 8081
before="$(pid plain) $(pid volatile)"

dpkg -i "$new"
expect "$(dpkg-query -W -f '${Version}' veneer)" 2
expect "$(pid plain) $(pid volatile)" "$before"
get 8080
get 8081
has "$(systemctl cat app@plain.service)" VENEER_VERSION=2 || fail "the new template is not in use"

# The chain's units are what they were: the program may be restarted on it.
restart volatile
eventually 5 get 8081
stop plain volatile
nothing_left
start plain
eventually 5 get 8080

# And back again, as an admin does who does not like the new one.
dpkg -i "$old"
get 8080
stop plain
nothing_left
