# What it shows: two apps have two users, which can neither signal nor read each other.

for id in one two; do
	image "$id"
	app "$id" <<T
[image]
file = "$id"
[service]
exec = ["/bin/sh", "-c", "echo mine > \$STATE_DIRECTORY/secret; exec sleep inf"]
state = true
T
done
reload
start one two
pid() { systemctl show -P MainPID "app@$1"; }
uid() { stat -c %u "/proc/$(pid "$1")"; }
[ "$(uid one)" != "$(uid two)" ] || fail "both apps have the user $(uid one)"
eventually 5 test -e /var/lib/private/veneer/state/two/secret
as_one() { nsenter -t "$(pid one)" -m -p -r -S "$(uid one)" -G "$(uid one)" "$@"; }
as_one /bin/answer signal "$(pid one)" || fail "an app may signal itself; the test is wrong"
restart one
fails_with "Operation not permitted" setpriv --reuid="$(uid one)" --regid="$(uid one)" --clear-groups kill "$(pid two)"
fails_with "" as_one /bin/answer read /var/lib/private/veneer/state/two/secret
as_one /bin/answer read /var/lib/private/veneer/state/one/secret | grep -q mine || fail "an app may read its own"
ls "/proc/$(pid one)/root/var/lib/private/veneer/state" | grep -q two && fail "one sees two's state directory"
stop one two
