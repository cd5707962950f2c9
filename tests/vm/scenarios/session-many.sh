# What it shows: hundreds of sessions of one app leave nothing, and PID 1 has its memory back; what they cost beside empty units is a figure.
# Once: trixie
# Tier: soak
# Timeout: 1800

count=${COUNT:-500}
pool=/srv/veneer
reflink_store
mkdir /run/veneer-test/seed
head -c 40M /dev/urandom >/run/veneer-test/seed/data
veneer image convert dir:/run/veneer-test/seed --format=ext4 --size=64M --output="$pool/images/many" 2>/dev/null
app many <<'T'
[image]
file = "many"
type = "ext4"
[session]
kind = "image"
reflink = "always"
[service]
exec = ["/sbin/init"]
T
# An empty unit; and one with two commands and dashes in its name, for which systemctl has PID 1 look in many more places.
plain='[Unit]\nCollectMode=inactive-or-failed\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n'
printf "$plain" >/run/systemd/system/empty@.service
printf "${plain}ExecStopPost=/bin/true\n" >/run/systemd/system/empty-clone-unit@.service
reload

now() { date +%s%N; }
# Anonymous memory of PID 1, in KiB, with nothing on its way.
memory() {
	eventually 30 sh -c '[ -z "$(systemctl list-jobs --no-legend)" ]'
	awk '$1 == "RssAnon:" { print $2 }' /proc/1/status
}
sessions() {
	local begin created listed
	begin=$(now)
	veneer session create many --count="$count" >/run/veneer-test/made
	created=$(now)
	expect "$(sort -u /run/veneer-test/made | wc -l)" "$count"
	listed=$(now)
	expect "$(veneer session list many --json=short | grep -o '"state":"active"' | wc -l)" "$count"
	list_took=$(($(now) - listed))
	took=$((created - begin))
	begin=$(now)
	veneer session remove many --all
	took=$((took + $(now) - begin))
}
empty() {
	local begin units=() n
	for n in $(seq "$count"); do units+=("$1@$n.service"); done
	begin=$(now)
	# In as many calls as veneer makes.
	printf '%s\0' "${units[@]}" | xargs -0 -n 256 systemctl start
	printf '%s\0' "${units[@]}" | xargs -0 -n 256 systemctl stop
	took=$(($(now) - begin))
}
units() { systemctl list-units --all --no-legend --plain 'veneer-clone-*.service' 'app-session-*' 'run-veneer-sessions-*' 'empty*@*'; }

# As long as PID 1 takes to give back what it had for the first of its units.
snapshot
free=$(stat -f -c %f "$pool")
cold=$(memory)
sessions
before=$(memory)
sessions
ours=$took
nothing_left
expect "$(units)" ''
expect "$(find "$pool/sessions")" "$pool/sessions"
after=$(memory)
empty empty
single=$took
empty empty-clone-unit
double=$took
each() { echo "$(($1 / count / 1000)) us"; }
note "each of $count sessions made and removed in $(each "$ours"), an empty unit in $(each "$single"), one with two commands and such a name in $(each "$double"): $(awk -v a="$ours" -v b="$single" -v c="$double" 'BEGIN { printf "%.2f and %.2f times", a / b, a / c }'); all listed in $((list_took / 1000000)) ms"
note "PID 1 had $cold KiB at first, $before KiB after as many, $after KiB after as many again"
sync -f "$pool"
back() { [ "$(stat -f -c %f "$pool")" -ge $((free - 64)) ]; }
eventually 10 back
[ $((after - before)) -le 1024 ] || fail "PID 1 has grown by $((after - before)) KiB"
rm /run/systemd/system/empty{,-clone-unit}@.service
reflink_store_gone
