# What it shows: a mount namespace that holds the image blocks no start, and all is gone when it lets go.

[ -n "${SOAK:-}" ] || skip "known to fail: the held device gets the same number again, or is not held"

image h
app h <<'T'
[image]
file = "h"
[overlay]
mode = "volatile"
[service]
exec = ["/bin/sleep", "1000"]
T
reload
snapshot
start h
first=$(readlink /run/veneer/apps/h/device)
unshare --mount --propagation private sleep 1000 &
holder=$!
# Not before it has a namespace of its own.
own_namespace() { [ "$(readlink /proc/self/ns/mnt)" != "$(readlink "/proc/$holder/ns/mnt")" ]; }
eventually 5 own_namespace
grep -q veneer/apps/h "/proc/$holder/mountinfo"
stop h
[ -e "$first" ] || fail "nothing was held"
eventually 10 test ! -e /run/veneer/apps/h
journal_has veneer-verity@h 'is held by somebody'
start h
running h
[ "$(readlink /run/veneer/apps/h/device)" != "$first" ] || fail "the held device was used again"
stop h
kill "$holder"
wait "$holder" 2>/dev/null || :
nothing_left
