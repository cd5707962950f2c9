# What it shows: read-only layers lie over the image, the topmost first, also at odd paths.
# Container: yes

image site
mkdir -p '/srv/a:b' '/srv/c d%e${f}' /srv/low/srv/www
mkdir -p '/srv/a:b/srv/www' '/srv/c d%e${f}/srv/www'
echo top >'/srv/a:b/srv/www/one'
echo middle >'/srv/c d%e${f}/srv/www/one'
echo middle >'/srv/c d%e${f}/srv/www/two'
echo low >/srv/low/srv/www/three
app site <<'T'
[image]
file = "site"
[overlay]
layers = ["/srv/a:b", '/srv/c d%e${f}', "/srv/low"]
[service]
type = "oneshot"
exec = ["/bin/cat", "/srv/www/one", "/srv/www/two", "/srv/www/three", "/srv/www/index.html"]
[service.directives]
RemainAfterExit = true
T
snapshot
reload
verify_units
start site
for text in top middle low "hello from inside"; do journal_has app@site "$text"; done
stop site
nothing_left
