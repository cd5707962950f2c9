# What it shows: a bind is seen in the app alone: on the host its target is not mounted, and what has that name keeps its content.
# Container: yes

image bound
mkdir -p /srv/bound /on-the-host
echo data >/srv/bound/file
echo own >/on-the-host/file
app bound <<'T'
[image]
file = "bound"
[service]
exec = ["/bin/sh", "-c", "cat /on-the-host/file /not-on-the-host/file; sleep 1000"]
bind = [
  { source = "/srv/bound", target = "/not-on-the-host", read-only = true },
  { source = "/srv/bound", target = "/on-the-host" },
]
T
reload
start bound
journal_has app@bound data
expect "$(cat /on-the-host/file)" own
expect "$(findmnt -rn -o TARGET | grep on-the-host | wc -l)" 0
[ ! -e /not-on-the-host ] || fail "the bind's target was made on the host"
stop bound
rm -rf /srv/bound /on-the-host
