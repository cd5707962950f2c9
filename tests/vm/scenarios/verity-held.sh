# What it shows: a mount namespace that holds the image blocks no start, and all is gone when it lets go.
# Once: trixie

hello_app h 'sleep 1000' volatile
reload
snapshot
dm_names() { dmsetup ls | awk '/^veneer-h-/ { print $1 }' | sort; }

# A copy of our mounts in another namespace alone holds nothing: they go from it with their mount points (rmdir(2)).
start h
unshare --mount --propagation private sleep 1000 &
holder=$!
# Not before it has a namespace of its own.
own_namespace() { [ "$(readlink /proc/self/ns/mnt)" != "$(readlink "/proc/$holder/ns/mnt")" ]; }
eventually 5 own_namespace
grep -q veneer/apps/h "/proc/$holder/mountinfo"
stop h
nothing_left
kill "$holder"
wait "$holder" 2>/dev/null || :

# Somebody at work in such a copy does hold it.
start h
first=$(dm_names)
unshare --mount --propagation private sh -c 'cd /run/veneer/apps/h/image && exec sleep 1000' &
holder=$!
at_work() { [ "$(readlink "/proc/$holder/cwd")" = /run/veneer/apps/h/image ]; }
eventually 5 at_work
stop h
eventually 10 test ! -e /run/veneer/apps/h
expect "$(dm_names)" "$first"
journal_has veneer-verity@h 'is held by somebody'
start h
running h
second=$(dm_names | grep -vxF "$first") || fail "the held device was used again"
has "$(cat /run/veneer/live/h)" "$second" || fail "the mark names another device: $(cat /run/veneer/live/h)"
stop h
only_first() { [ "$(dm_names)" = "$first" ]; }
eventually 10 only_first
kill "$holder"
wait "$holder" 2>/dev/null || :
nothing_left
