# What it shows: two apps have two users, which can neither signal nor read each other.
# Container: yes

for id in one two; do image "$id"; done
app two <<'T'
[image]
file = "two"
[service]
exec = ["/bin/sh", "-c", "echo mine > $STATE_DIRECTORY/secret; exec sleep inf"]
state = true
T
# What one needs to try: where two's secret is, and its process.
mkdir -p /run/veneer-test/about
app one <<'T'
[image]
file = "one"
[service]
type = "oneshot"
exec = ["/bin/sh", "-c", '''
id -u
echo own > $STATE_DIRECTORY/secret && cat $STATE_DIRECTORY/secret
cat /var/lib/private/veneer/state/two/secret || cat /about/state/two/secret || echo cannot read
kill -0 $(cat /about/pid) 2>&1 || echo cannot signal
ls /proc/$(cat /about/pid) || echo cannot see
''']
state = true
bind = [
  { source = "/run/veneer-test/about", target = "/about", read-only = true },
  { source = "/var/lib/private/veneer/state", target = "/about-state", read-only = true },
]
[service.directives]
RemainAfterExit = true
T
reload
start two
eventually 5 test -e /var/lib/private/veneer/state/two/secret
two=$(systemctl show -P MainPID app@two)
echo "$two" >/run/veneer-test/about/pid
start one
journal_has app@one own
journal_has app@one "cannot read"
journal_has app@one "cannot signal"
journal_has app@one "cannot see"
one=$(unit_journal app@one | grep -E '^[0-9]+$' | head -n 1)
[ "$one" -ge 61184 ] || fail "one's user is $one"
[ "$one" != "$(stat -c %u "/proc/$two")" ] || fail "both apps have the user $one"
stop one two
