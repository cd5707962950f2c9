# What it shows: where the command that undoes an app's chain is killed, another takes its place, as often as it takes, and the next start waits for it.
# Container: yes
# Timeout: 120

tried() { [ "$(wc -l </run/detach-killed)" = "$1" ]; }
hello_app d 'sleep 1000' volatile
mkdir -p /run/systemd/system/veneer-{verity,detach}@d.service.d
printf '[Service]\nExecStopPost=\nExecStopPost=/bin/sh -c "kill -KILL $$$$"\n' \
	>/run/systemd/system/veneer-verity@d.service.d/killed.conf
detach=/usr/libexec/veneer/veneer-verity
# Twice it is killed before it has begun; then it takes its time.
printf '[Service]\nExecStart=\nExecStart=/bin/sh -c "echo >>/run/detach-killed; [ $$(wc -l </run/detach-killed) -gt 2 ] || kill -KILL $$$$; sleep 2; exec %s detach d"\n' \
	"$detach" >/run/systemd/system/veneer-detach@d.service.d/killed.conf
reload
snapshot
start d
[ -e /run/veneer/apps/d ] || fail "nothing is attached"
stop d
nothing_left
tried 3 || fail "tried $(wc -l </run/detach-killed) times, not 3"
journal_has veneer-detach@d.service 'Main process exited, code=killed'

# A start that comes while it is at work is one of a new chain, which it leaves alone.
rm /run/detach-killed
printf 'a\nb\n' >/run/detach-killed
start d
stop d
eventually 10 tried 3
start d
running d || fail "it does not run: $(unit_journal app@d)"
[ "$(findmnt -rno TARGET | grep -c '^/run/veneer/apps/d/')" -ge 3 ] || fail "its chain is not whole"
rm -r /run/systemd/system/veneer-{verity,detach}@d.service.d /run/detach-killed
systemctl daemon-reload
stop d
systemctl reset-failed 2>/dev/null || :
nothing_left
