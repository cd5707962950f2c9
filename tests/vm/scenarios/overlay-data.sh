# What it shows: what an app wrote can be reset and removed, not while it is up, and nobody else's goes.
# Container: yes

image od
for id in od od-b; do
	app "$id" <<'T'
[image]
file = "od"
[overlay]
mode = "persistent"
writable = ["/var/data"]
[service]
type = "oneshot"
exec = ["/bin/sh", "-c", "cat /var/data/*; echo was here > /var/data/file"]
directives = { RemainAfterExit = true }
T
done
reload
data=/var/lib/veneer/overlays
start od od-b
fails_with 'the app is up' /usr/libexec/veneer/veneer-overlay reset od
stop od od-b
# The chain goes a moment after the app: longer than anybody is asked to wait on an emulated machine.
gone() { [ ! -e /run/veneer/apps/od ] && [ ! -e /run/veneer/apps/od-b ]; }
eventually 10 gone
[ -f "$data/od/upper/var/data/file" ] || fail "nothing was kept"
expect "$(/usr/libexec/veneer/veneer-overlay remove od --dry-run)" "delete $data/od"
[ -f "$data/od/upper/var/data/file" ] || fail "the dry run was none"
/usr/libexec/veneer/veneer-overlay reset od
[ ! -e "$data/od/upper" ] || fail "it was not reset"
start od
stop od
mkdir "$data/.od.gone-0123abcd"
/usr/libexec/veneer/veneer-overlay remove od
expect "$(ls -A "$data")" od-b
[ -f "$data/od-b/upper/var/data/file" ] || fail "another app's data went"
start od-b
journal_has app@od-b 'was here'
stop od-b
