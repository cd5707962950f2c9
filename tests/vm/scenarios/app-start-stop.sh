# What it shows: one TOML file becomes a running app on a verified image, and stopping leaves nothing.

image hello
snapshot
app hello <<'T'
[app]
description = "Hello from a verified image"

[image]
file = "hello"

[overlay]
mode = "volatile"
size = "16M"

[service]
exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
T
reload
verify_units
start hello
eventually 5 get 8080
expect "$(get 8080)" "hello from inside a verified image"
findmnt -n /run/veneer/apps/hello/image | grep -q erofs || fail "the image is not mounted"
findmnt -n /run/veneer/apps/hello/root | grep -q overlay || fail "the root is not an overlay"
dmsetup ls --target verity | grep -q '^veneer-hello-' || fail "no verity device"
has "$(systemctl show -P Description app@hello)" "Hello from a verified image" || fail "no description"
journal_has app@hello "Started"
stop hello
nothing_left
expect "$(systemctl list-units --failed --no-legend | wc -l)" 0
