# What it shows: twenty apps at once come up, and twenty of one image file.
# Once: bookworm
# Timeout: 900

ids=()
for n in $(seq 20); do
	hello_app "t$n" 'sleep 1000'
	app "s$n" <<T
[image]
file = "$STORE/t1.raw"
[service]
exec = ["/bin/sleep", "1000"]
T
done
reload
snapshot
for kind in t s; do
	ids=()
	for n in $(seq 20); do ids+=("$kind$n"); done
	begin=$(uptime_now)
	start "${ids[@]}"
	for id in "${ids[@]}"; do running "$id" || fail "$id is not running"; done
	note "20 at once ($kind) in $(awk -v a="$begin" -v b="$(uptime_now)" 'BEGIN { printf "%.1f", b - a }') s"
	expect "$(dmsetup ls 2>/dev/null | grep -c veneer- || ls -d /sys/block/dm-* | wc -l)" 20
	stop "${ids[@]}"
	nothing_left
done
