# What it shows: binds (where the image has no mount point, too), credentials, environment and state reach the app.
# Container: yes

image see
mkdir -p /srv/data /etc/credstore
echo data >/srv/data/file
echo secret >/etc/credstore/see.token
echo one-file >/srv/single
app see <<'T'
[image]
file = "see"
[service]
type = "oneshot"
exec = ["/bin/sh", "-c", '''
cat /data/file /deep/er/single
cat "$CREDENTIALS_DIRECTORY/token"
echo "env=$GREETING"
echo kept >> "$STATE_DIRECTORY/file" && cat "$STATE_DIRECTORY/file"
touch /data/new || echo read-only
echo "gone: $(ls /missing 2>&1)"
''']
environment = { GREETING = "50% of $HOME; \"quoted\" \\ ü" }
state = true
bind = [
  { source = "/srv/data", target = "/data", read-only = true },
  { source = "/srv/single", target = "/deep/er/single", read-only = true },
  { source = "/srv/nowhere", target = "/missing", optional = true },
]
credentials = { token = "/etc/credstore/see.token" }
[service.directives]
RemainAfterExit = true
T
snapshot
reload
verify_units
start see
journal_has app@see data
journal_has app@see one-file
journal_has app@see secret
journal_has app@see 'env=50% of $HOME; "quoted" \ ü'
journal_has app@see kept
journal_has app@see read-only
stop see
expect "$(find /var/lib/private/veneer/state/see -name file | wc -l)" 1
nothing_left
rm -rf /srv/data /srv/single /etc/credstore/see.token
systemctl clean --what=state app@see || :
