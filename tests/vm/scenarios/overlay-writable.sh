# What it shows: overlay.writable gives the app's own user directories of its root, and nothing else of it.
# Container: yes

image w
app w <<'T'
[image]
file = "w"
[overlay]
mode = "volatile"
writable = ["/var/cache/w", "/srv/www"]
[service]
type = "oneshot"
exec = ["/bin/sh", "-c", "id -u; echo a > /var/cache/w/new && echo b > /srv/www/new && echo written; echo c > /etc/new || echo refused"]
[service.directives]
RemainAfterExit = true
T
snapshot
reload
verify_units
start w
journal_has app@w written
journal_has app@w refused
expect "$(cat /run/veneer/apps/w/root/var/cache/w/new)" a
[ "$(stat -c %u /run/veneer/apps/w/root/var/cache/w)" -ge 61184 ] || fail "the directory does not belong to the dynamic user"
stop w
nothing_left
