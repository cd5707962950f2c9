# What it shows: a bind appears in the app alone: its target is not made on the host, whatever runs before the app does.

image bound
mkdir -p /srv/bound
echo data >/srv/bound/file
app bound <<'T'
[image]
file = "bound"
[service]
type = "oneshot"
exec = ["/bin/cat", "/not-on-the-host/file"]
bind = [{ source = "/srv/bound", target = "/not-on-the-host", read-only = true }]
T
reload
start bound
journal_has app@bound data
[ ! -e /not-on-the-host ] || fail "starting the app made /not-on-the-host on the host"
rm -rf /srv/bound
