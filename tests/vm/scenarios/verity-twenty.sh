# What it shows: twenty apps at once come up, and twenty of one image file.
# Once: bookworm
# Timeout: 900

# Twenty images and one: what is looked at. Twenty sandboxes at once take an emulated machine a minute; a soak has them, too.
profile=trusted
[ -z "${SOAK:-}" ] || profile=strict
for n in $(seq 20); do
	image "t$n"
	for kind in t s; do
		file=t$n
		[ $kind = t ] || file=$STORE/t1.raw
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
