# What it shows: a plain directory as an app's root: bound read-only, with the skeleton below it.
# Container: yes

mkdir -p /opt/hello
cp -a "$(dirname "$(command -v busybox)")/busybox" /opt/hello/busybox
echo from a directory >/opt/hello/page
snapshot
app dir <<'T'
[image]
directory = "/opt/hello"
[service]
type = "oneshot"
exec = ["/busybox", "sh", "-c", "/busybox cat /page; /busybox touch /page || echo refused"]
[service.directives]
RemainAfterExit = true
T
reload
verify_units
start dir
journal_has app@dir "from a directory"
journal_has app@dir refused
stop dir
nothing_left
mv /opt/hello /opt/elsewhere
fails_with "" systemctl start app@dir
journal_has app@dir /opt/hello
rm -rf /opt/elsewhere
systemctl reset-failed
nothing_left
