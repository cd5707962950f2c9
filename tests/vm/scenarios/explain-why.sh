# What it shows: an app without units says in its own journal why: unknown, masked, broken among 100, or not reloaded.
# Container: yes
# Timeout: 600

good() { printf '[image]\ndirectory = "/opt/app"\n[service]\nexec = ["/busybox", "sleep", "600"]\n'; }
mkdir -p /opt/app
cp /bin/busybox /opt/app/busybox
for n in $(seq 1 99); do good | app "good$n"; done
app broken <<'T'
[image]
directory = "/opt/app"
[service]
exce = ["/busybox", "sleep", "600"]
profile = "strikt"
T
ln -s /dev/null "$APPS/masked.toml"
reload

# said ID CODE TEXT: the start fails with this code, and the unit's journal says this, once.
said() {
	fails_with "" systemctl start "app@$1"
	expect "$(systemctl show -P ExecMainStatus "app@$1")" "$2"
	journal_has "app@$1" "$3"
	expect "$(unit_journal "app@$1" | grep -cF -- "$3")" 1
	expect "$(unit_journal "veneer-verity@$1")" ""
}

said nosuch 66 'there is no app "nosuch": no nosuch.toml in /etc/veneer/apps.d'
said good1x 66 'there is no app "good1x": did you mean app@good1'
said masked 78 "app masked is masked by /etc/veneer/apps.d/masked.toml"
said broken 78 '/etc/veneer/apps.d/broken.toml:4:1: service.exce: there is no such key: did you mean "exec"?'
journal_has app@broken "/etc/veneer/apps.d/broken.toml:5:11: service.profile: "
echo "--- journalctl -u app@broken"
journalctl --no-pager --since "$SCENARIO_BEGAN" -u app@broken
echo "--- journalctl -x -u app@masked"
journalctl --no-pager -x --since "$SCENARIO_BEGAN" -u app@masked
echo "--- systemctl status app@broken"
systemctl --no-pager status app@broken || :

# The others are not touched by it.
start good7 good99
running good7 || fail "good7 does not run"

# Each line can be found by its kind, and the catalog explains it (a package updates it, see docs/packaging.md).
journalctl --update-catalog
journalctl --sync
for id in eb0773ac66cd43dab56ab208992503ea a932aa13971045e7a3b723c1d1705aa0 b273d4142c1b43a5be04a00eb46a78d7; do
	journalctl --no-pager -q -x --since "$SCENARIO_BEGAN" "MESSAGE_ID=$id" | grep -q "Defined-By: Veneer" ||
		fail "message $id is not explained"
done

# Mended, and not reloaded: it says so; reloaded, it starts.
good | app broken
said broken 78 "/etc/veneer/apps.d/broken.toml is in order, but systemd has not read it yet: run systemctl daemon-reload"
reload
start broken

# Many at once, none without its reason.
none_starts() { [ -z "$(systemctl list-units --state=activating --no-legend 'app@none*')" ]; }
systemctl reset-failed
for n in $(seq 1 30); do systemctl start --no-block "app@none$n"; done
eventually 120 none_starts
for n in $(seq 1 30); do journal_has "app@none$n" "there is no app"; done
