# What it shows: after many starts and stops nothing is left behind, and no unit has failed.
# Timeout: 3600

count=$(scale 3)
snapshot
hello_app hello 'sleep inf' volatile
reload
for _ in $(seq "$count"); do
	start hello
	running hello || fail "not running after a start"
	stop hello
done
nothing_left
expect "$(systemctl list-units --failed --no-legend | wc -l)" 0
note "$count cycles"
