# What it shows: listen makes a socket beside the service, and the first connection starts the app.
# Container: yes

image sock
snapshot
app sock <<'T'
[app]
autostart = true
[image]
file = "sock"
[service]
exec = ["/bin/answer", "serve", "8081"]
listen = [8081]
T
reload
verify_units
systemctl start app-sock.socket
[ "$(systemctl is-active app@sock)" = inactive ] || fail "the app runs before anybody asked"
has "$(get 8081)" "answer from uid" || fail "no answer"
running sock || fail "the app was not started"
readlink /run/systemd/generator/sockets.target.wants/app-sock.socket >/dev/null
systemctl stop app-sock.socket app@sock
nothing_left
