# What it shows: schedule makes a timer beside the service that starts the app.
# Container: yes

image tick
snapshot
app tick <<'T'
[image]
file = "tick"
[service]
type = "oneshot"
exec = ["/bin/answer", "say", "tick"]
schedule = ["*:*:0/2"]
[service.directives]
SyslogIdentifier = "ticker"
T
reload
verify_units
systemctl start app-tick.timer
sleep 5
systemctl stop app-tick.timer
journal_has app@tick tick
expect "$(systemctl show -P Unit app-tick.timer)" app@tick.service
nothing_left
