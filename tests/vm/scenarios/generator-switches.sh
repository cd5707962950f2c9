# What it shows: the generator is quiet in the initrd and with veneer=0, writes to one directory or three, and never over another's file.
# Once: bookworm

hello_app hello 'sleep inf'
generator=/usr/lib/systemd/system-generators/veneer-generator
work=$(mktemp -d)
try() { rm -rf "$work"; mkdir -p "$work"/{a,b,c}; }
count() { find "$work" -type f | wc -l; }

try; "$generator" "$work/a"; [ "$(count)" -gt 0 ] || fail "nothing written to one directory"
one=$(cd "$work/a" && find . -type f -exec sha256sum {} + | sort)
try; "$generator" "$work"/{a,b,c}; expect "$(cd "$work/a" && find . -type f -exec sha256sum {} + | sort)" "$one"
expect "$(find "$work/b" "$work/c" -mindepth 1 | wc -l)" 0
try; SYSTEMD_IN_INITRD=1 "$generator" "$work"/{a,b,c}; expect "$(count)" 0
try; SYSTEMD_PROC_CMDLINE='quiet veneer=0' "$generator" "$work"/{a,b,c}; expect "$(count)" 0
try; SYSTEMD_SCOPE=user "$generator" "$work"/{a,b,c}; expect "$(count)" 0
try; echo theirs >"$work/a/run-veneer-apps-hello-image.mount"
fails_with "something else wrote a unit of this name" "$generator" "$work"/{a,b,c}
expect "$(cat "$work/a/run-veneer-apps-hello-image.mount")" theirs
# What is wrong at boot is in the kernel's log, which the journal has.
echo '[image' >"$APPS/broken.toml"
reload
eventually 3 sh -c 'journalctl -k -b --no-pager -o cat | grep -q "broken.toml:1:"'
