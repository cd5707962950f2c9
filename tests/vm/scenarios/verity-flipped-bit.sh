# What it shows: a flipped bit in file data is an I/O error and a line in the journal, or found before the start if asked for.
# Once: trixie
# Timeout: 400

image fb big
app fb <<'T'
[image]
file = "fb"
[service]
exec = ["/bin/sleep", "1000"]
T
reload
snapshot
# Far behind the names there are only files' bytes.
block=20000
printf '\252\125\252\125' | dd of="$STORE/fb.raw" bs=1 seek=$((block * 4096 + 100)) conv=notrunc status=none
start fb
until_damaged() {
	local file
	for file in /run/veneer/apps/fb/image/srv/data/*; do cat "$file" >/dev/null || return 1; done
}
if said=$(until_damaged 2>&1); then fail "the read went well"; fi
begin=$(uptime_now)
has "$said" 'Input/output error' || fail "it says: $said"
until has "$(unit_journal app@fb)" "fb.raw is damaged in block $block"; do
	sleep 0.05
	awk -v a="$begin" -v b="$(uptime_now)" 'BEGIN { exit b - a > 2 }' || fail "not logged within 2 s: $(unit_journal app@fb)"
done
note "logged after $(awk -v a="$begin" -v b="$(uptime_now)" 'BEGIN { printf "%.2f", b - a }') s"
expect "$(journalctl -q --no-pager -o cat -n 1 VENEER_APP=fb VENEER_BLOCK=$block --output-fields=VENEER_IMAGE)" "$STORE/fb.raw"
running fb || fail "the app was taken down"
stop fb
nothing_left

sed -i 's/^file = .*/&\nverify = "full"/' "$APPS/fb.toml"
reload
snapshot
begin=$(uptime_now)
fails_with "" systemctl start app@fb
journal_has app@fb "attaching fb: $STORE/fb.raw is damaged in block $block"
nothing_left
note "found by verify=full after $(awk -v a="$begin" -v b="$(uptime_now)" 'BEGIN { printf "%.2f", b - a }') s"
