# What it shows: with a hundred sessions made at once and helpers killed among them, each is whole or gone, and all room is back.
# Container: yes
# Once: trixie
# Timeout: 1800

count=${COUNT:-100} kills=$(scale 30)
seed=/opt/killed
mkdir -p "$seed"
head -c 2M /dev/urandom >"$seed/data"
for n in $(seq 100); do echo "$n" >"$seed/$n"; done
app many <<T
[image]
directory = "$seed"
[session]
kind = "tree"
[service]
exec = ["/bin/true"]
T
reload
snapshot
units=()
for n in $(seq "$count"); do units+=("veneer-clone-many@s$n.service"); done
places=/run/veneer/sessions/many
sync
free=$(stat -f -c %f /var/lib/veneer)

# kill_some: helpers at random moments, those that make and those that remove.
kill_some() {
	local pid pids
	while :; do
		sleep "0.0$((RANDOM % 9 + 1))"
		pids=$(pgrep -x veneer-clone) || continue
		pid=$(shuf -n 1 <<<"$pids")
		if kill -KILL "$pid" 2>/dev/null; then echo "$pid" >>/run/veneer-test/killed; fi
	done
}
killed() { wc -l </run/veneer-test/killed; }
settled() { [ -z "$(systemctl list-jobs --no-legend)" ]; }
: >/run/veneer-test/killed

rounds=0
while [ "$(killed)" -lt "$kills" ]; do
	kill_some &
	killer=$!
	systemctl start "${units[@]}" 2>/dev/null || :
	kill "$killer"
	wait "$killer" 2>/dev/null || :
	# Whoever is there is whole, and whoever is not has left nothing but what a killed removal leaves.
	living=0
	for unit in $(systemctl list-units --state=active --no-legend --plain 'veneer-clone-many@*' | cut -d' ' -f1); do
		name=${unit#*@} name=${name%.service}
		diff -r "$seed" "$places/$name/root" || fail "$name is not whole"
		living=$((living + 1))
	done
	veneer session gc
	expect "$(find "$places" -mindepth 1 -maxdepth 1 | wc -l)" "$living"
	kill_some &
	killer=$!
	systemctl stop 'veneer-clone-many@*.service' 2>/dev/null || :
	kill "$killer"
	wait "$killer" 2>/dev/null || :
	eventually 30 settled
	veneer session gc
	nothing_left
	rounds=$((rounds + 1))
	[ "$rounds" -lt 50 ] || fail "only $(killed) kills"
done
note "$(killed) kills in $rounds rounds of $count"
sync
back() { [ "$(stat -f -c %f /var/lib/veneer)" -ge $((free - 256)) ]; }
eventually 20 back
rm -r "$seed"
