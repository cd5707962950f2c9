# What it shows: several overlays are applied together or none of them, and declared ones come with a reload.
# Container: yes
# Timeout: 120

for name in one two three; do
	mkdir -p "/usr/share/veneer-batch/$name" "/root/batch/$name"
	echo base >"/usr/share/veneer-batch/$name/file"
	echo "$name" >"/root/batch/$name/file"
done
batch() {
	local name
	for name in "$@"; do
		printf '[[overlay]]\nname = "%s"\nsource = "/root/batch/%s"\ntarget = "/usr/share/veneer-batch/%s"\n' "$name" "$name" "$name"
	done >/root/batch.toml
}
snapshot
batch one two three
veneer overlay apply --batch=/root/batch.toml
expect "$(cat /usr/share/veneer-batch/*/file | paste -sd ' ')" "one three two"
# The journal has each of them.
told() { [ "$(journalctl -b -o cat VENEER_OVERLAY="$1" | grep -c 'lies over')" -ge 1 ]; }
for name in one two three; do eventually 5 told "$name"; done
for name in one two three; do veneer overlay remove "$name"; done
nothing_left
# One target is missing: nothing is applied.
batch one two
printf '[[overlay]]\nname = "bad"\nsource = "/root/batch/one"\ntarget = "/usr/share/none"\n' >>/root/batch.toml
fails_with "is not there" veneer overlay apply --batch=/root/batch.toml
# One cannot be copied: what was copied of the others goes.
batch one two
printf '[[overlay]]\nname = "bad"\nsource = "/root/batch/one"\ntarget = "/usr/share/veneer-batch/three/file"\n' >>/root/batch.toml
fails_with "only a file fits" veneer overlay apply --batch=/root/batch.toml
expect "$(cat /usr/share/veneer-batch/*/file | paste -sd ' ')" "base base base"
nothing_left
# A new version that cannot be shown takes the others back.
batch one two
veneer overlay apply --batch=/root/batch.toml
printf 'name = 1\n' >/root/bad.toml
fails_with "/root/bad.toml:1:1" veneer overlay apply --batch=/root/bad.toml
for name in one two; do veneer overlay remove "$name"; done
# What is not there ends with 66; a file's overlay is shown under the file's own name.
missing() {
	local code=0
	veneer overlay "$@" 2>/dev/null || code=$?
	expect "$code" 66
}
missing apply --batch=/nonexist
missing diff nosuch
missing history nosuch
veneer overlay apply single /root/batch/one/file /usr/share/veneer-batch/one/file
veneer overlay diff single | grep -q ' /usr/share/veneer-batch/one/file$' || fail "$(veneer overlay diff single)"
veneer overlay remove single

# --- declared
mkdir -p /etc/veneer/overlays.d
cat >/etc/veneer/overlays.d/declared.toml <<'TOML'
[overlay]
description = "Declared"
source = "/root/batch/one"
target = "/usr/share/veneer-batch/one"
mode = "writable"
TOML
veneer check
reload
verify_units
systemctl start 'usr-share-veneer\x2dbatch-one.mount'
expect "$(cat /usr/share/veneer-batch/one/file)" one
has "$(veneer overlay list)" "declared"
veneer overlay remove declared
sed -i 's/^target.*/target = "\/etc"/' /etc/veneer/overlays.d/declared.toml
fails_with "overlays.d/declared.toml:4:10: error: overlay.target: /etc is critical" veneer check
rm -r /etc/veneer/overlays.d
reload
nothing_left
