# What it shows: twenty apps at once come up, and twenty of one image file.
# Once: bookworm
# Timeout: 900

# The twenty of one file share what is looked at; their sandboxes, which the others have too, take a minute here.
for n in $(seq 20); do
	image "t$n"
	for kind in t s; do
		file=t$n profile=strict
		[ $kind = t ] || file=$STORE/t1.raw profile=trusted
		printf '[image]\nfile = "%s"\n[service]\nprofile = "%s"\nexec = ["/bin/sleep", "1000"]\n' "$file" "$profile" | app "$kind$n"
	done
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
