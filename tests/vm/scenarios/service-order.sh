# What it shows: after and requires between apps are systemd's After= and Requires=.
# Container: yes

for id in db web; do image "$id"; done
app db <<'T'
[image]
file = "db"
[service]
type = "oneshot"
exec = ["/bin/sh", "-c", "sleep 1; echo db is up"]
[service.directives]
RemainAfterExit = true
T
app web <<'T'
[image]
file = "web"
[service]
exec = ["/bin/sleep", "inf"]
requires = ["db"]
T
snapshot
reload
verify_units
start web
running db || fail "db was not started"
web=$(systemctl show -P ExecMainStartTimestampMonotonic app@web)
db=$(systemctl show -P ExecMainExitTimestampMonotonic app@db)
[ "$web" -ge "$db" ] || fail "web started before db was up"
stop db
[ "$(systemctl is-active app@web)" != active ] || fail "web goes on without db"
nothing_left
