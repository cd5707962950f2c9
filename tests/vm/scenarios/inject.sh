# What it shows: veneer-inject@ puts files into an image in its sandbox, once; the app runs what was put in; a refusal says why.
# Once: trixie
# Timeout: 180

manifest=/etc/veneer/inject.d/inj.toml
image inj
before=$(roothash inj)
mkdir -p /etc/veneer/inject.d /srv/inj
echo 'put in later' >/srv/inj/page
write_manifest() {
	cat >"$manifest" <<-TOML
		[[inject.directory]]
		target = "/srv/inj"
		[[inject.file]]
		source = "/srv/inj/page"
		target = "$1"
		mode = "0644"
		[[inject.link]]
		target = "/srv/inj/link"
		to = "page"
	TOML
}
inject_it() { systemctl start veneer-inject@inj; }

write_manifest /srv/inj/page
inject_it || fail "veneer-inject@inj: $(unit_journal veneer-inject@inj.service)"
after=$(roothash inj)
[ "$after" != "$before" ] || fail "the root hash is the old one"
veneer image verify inj >/dev/null
journal_has veneer-inject@inj.service "root hash $after"

# Again: nothing to do, and nothing done.
inject_it
journal_has veneer-inject@inj.service 'has everything already'
expect "$(roothash inj)" "$after"

app inj <<'T'
[image]
file = "inj"
[service]
exec = ["/bin/sh", "-c", "cat /srv/inj/link; sleep 1000"]
T
reload
snapshot
start inj
journal_has app@inj 'put in later'
stop inj
nothing_left

# What is there already is replaced by nobody's accident.
write_manifest /bin/busybox
fails_with '' inject_it
journal_has veneer-inject@inj.service '/bin/busybox'
unit_journal veneer-inject@inj.service | tail -n 4
expect "$(roothash inj)" "$after"
veneer image verify inj >/dev/null
expect "$(find "$STORE" -name '.*inj*' | wc -l)" 0

# A mistake in the manifest has its place.
echo 'nonsense = 1' >>"$manifest"
fails_with '' inject_it
journal_has veneer-inject@inj.service "$manifest:"
unit_journal veneer-inject@inj.service | tail -n 2
systemctl reset-failed veneer-inject@inj
rm -rf /srv/inj /etc/veneer/inject.d
