# What it shows: reload refuses while what runs would lose its units, and enable and disable are uniform.
# Container: yes
# Timeout: 600

hello() { hello_app hello 'httpd -f -p 8080 -h /srv/www'; }
hello
veneer reload
start hello
running hello || fail "hello does not run"

# Its file is gone, masked, broken: each is refused, and nothing is reloaded.
rm "$APPS/hello.toml"
fails_with "app@hello.service is active, and its file is gone" veneer reload
: >"$APPS/hello.toml"
fails_with "masked by /etc/veneer/apps.d/hello.toml" veneer reload
app hello <<<'nonsense = 1'
fails_with "its configuration is broken: /etc/veneer/apps.d/hello.toml:1:1: nonsense: " veneer reload
running hello || fail "hello was stopped"

# By force all the same; what runs goes on, and can be stopped.
veneer reload --force && fail "a broken file ends with 78" || expect $? 78
running hello || fail "hello did not survive the reload"
stop hello
eventually 10 sh -c '! test -e /run/veneer/live/hello'

# A broken app that is not up stops nobody.
app other <<'T'
[image]
directory = "/opt"
[service]
exec = ["/bin/true"]
T
veneer reload && fail "a broken file ends with 78" || expect $? 78
has "$(systemctl cat app@other)" "/run/systemd/generator/app@other" || fail "other has no units"

# enable and disable: a drop-in of ours, and no link of systemctl's is left.
hello
reload
systemctl enable app@hello 2>/dev/null
veneer disable hello --now
[ ! -e /etc/systemd/system/multi-user.target.wants/app@hello.service ] || fail "the link is still there"
running hello && fail "hello runs" || :
veneer enable --dry-run hello
veneer enable hello --now
cat "$APPS/hello.toml.d/90-veneer-enable.toml"
running hello || fail "enable --now did not start it"
has "$(systemctl show -P WantedBy app@hello)" multi-user.target || fail "the boot does not want it"
fails_with 'did you mean "hello"?' veneer enable helo
printf '[app]\nautostart = true\n' >"$APPS/hello.toml.d/99-admin.toml"
fails_with "99-admin.toml:2 comes after" veneer disable hello
rm "$APPS/hello.toml.d/99-admin.toml"
veneer disable hello --now
running hello && fail "disable --now did not stop it" || :
has "$(systemctl show -P WantedBy app@hello)" multi-user.target && fail "the boot still wants it" || :

# The same for a socket.
app sock <<'T'
[image]
file = "hello"
[service]
exec = ["/bin/true"]
listen = ["8081"]
T
reload
veneer enable sock --now
systemctl is-active app-sock.socket
has "$(veneer list)" "sock   listening" || fail "list does not show the socket"
veneer disable sock --now
systemctl is-active app-sock.socket && fail "the socket is still there" || :
