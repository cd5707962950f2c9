# What it shows: users ask for overlays over the host, polkit and limits decide, and nobody touches another's.
# Container: yes
# Timeout: 180

for user in veneer-a veneer-b; do
	id "$user" >/dev/null 2>&1 || useradd --create-home "$user"
	chmod 700 "/home/$user"
done
as() { setpriv --reuid="$1" --regid="$1" --init-groups env HOME="/home/$1" "${@:2}"; }
target=/usr/share/veneer-users
rm -rf "$target"* /home/veneer-?/source
mkdir -p "$target" "$target-b" /etc/polkit-1/rules.d
echo base | tee "$target/greeting" >"$target-b/greeting"
for user in veneer-a veneer-b; do
	as "$user" mkdir -p "/home/$user/source/sub"
	as "$user" sh -c "echo $user >/home/$user/source/greeting; umask 077; echo own >/home/$user/source/sub/own"
done
rules() {
	cat >/etc/polkit-1/rules.d/50-veneer-test.rules
	# Read anew within a moment; a restart is sure.
	systemctl restart polkit
}
rules <<'RULES'
polkit.addRule(function (action, subject) {
    if (action.id == "io.veneer.overlay.apply" && subject.user == "veneer-a" &&
        action.lookup("target") == "/usr/share/veneer-users")
        return polkit.Result.YES;
    if (action.id == "io.veneer.overlay.apply" && subject.user == "veneer-b" &&
        action.lookup("target").indexOf("/usr/share/veneer-users") == 0)
        return polkit.Result.YES;
});
RULES
snapshot
fails_with "veneer-overlay-request.socket" as veneer-a veneer overlay apply mine /home/veneer-a/source "$target"
systemctl start veneer-overlay-request.socket

# Allowed is one user, one target; the copy is root's. It opens no directory, and nobody learns what is in one.
install -d -m 700 "$target/sub"
echo secret >"$target/sub/own"
fails_with "sub has mode 0755, and would open a directory of mode 0700" \
	as veneer-a veneer overlay apply mine /home/veneer-a/source "$target"
chmod 700 /home/veneer-a/source/sub
as veneer-a veneer overlay apply mine /home/veneer-a/source "$target"
veneer overlay diff mine | grep -q '^C s .*/sub/own$'
as veneer-a veneer overlay diff mine | grep -q '^A s .*/sub/own$'
as veneer-a veneer overlay apply mine /home/veneer-a/source "$target"
expect "$(cat "$target/greeting")" veneer-a
expect "$(stat -c '%U %G %a' "$target/sub/own")" "root root 600"
fails_with "needs an administrator" as veneer-a veneer overlay apply other /home/veneer-a/source "$target-b"
as veneer-a sh -c "echo changed >/home/veneer-a/source/greeting"
expect "$(cat "$target/greeting")" veneer-a
has "$(as veneer-b veneer overlay list)" veneer-a || fail "list does not say whose it is"

# Another user: not the name, not the target, not the overlay.
b() { as veneer-b veneer overlay "$@"; }
fails_with "somebody else's" b apply mine /home/veneer-b/source "$target-b"
fails_with "lies over" b apply theirs /home/veneer-b/source "$target"
fails_with "somebody else's" b reset mine
fails_with "somebody else's" b remove mine
fails_with "Permission denied" b apply theirs /home/veneer-a/source/sub "$target-b"
b apply theirs /home/veneer-b/source "$target-b"
expect "$(cat "$target-b/greeting")" veneer-b

# What is where a user may not look: there or not, a directory or not, a link or not, they are told the same.
as veneer-a ln -s /etc /home/veneer-a/link
probe() { b apply probe /home/veneer-b/source "$1" 2>&1 | sed "s|$1|TARGET|g"; }
unknown=$(probe /home/veneer-a/none || :)
has "$unknown" "is not there" || fail "$unknown"
for probed in source source/greeting source/greeting/none source/none link link/ssh; do
	expect "$(probe "/home/veneer-a/$probed" || :)" "$unknown"
done
rm /home/veneer-a/link

# Again is a new version; a writable one can be reset; what is root's to do is said.
as veneer-a veneer overlay apply mine /home/veneer-a/source "$target"
expect "$(cat "$target/greeting")" changed
fails_with "is for root" as veneer-a veneer overlay apply mine /home/veneer-a/source "$target" --owner=root
b remove theirs
b apply theirs /home/veneer-b/source "$target-b" --writable --size=2M
echo written >"$target-b/written"
as veneer-b sh -c "echo x >$target-b/greeting" 2>/dev/null && fail "the user can write where root's services read"
# What it changes is told as root is told, and no user tells it from root.
for options in "" --written --json=pretty "--written --json=short"; do
	expect "$(b diff theirs $options)" "$(veneer overlay diff theirs $options)"
done
has "$(b diff theirs --written)" "1 added, 0 changed, 0 deleted" || fail "diff --written: $(b diff theirs --written)"
fails_with "somebody else's" as veneer-a veneer overlay diff theirs
b reset theirs
[ ! -e "$target-b/written" ] || fail "reset kept what was written"
fails_with "somebody else's" as veneer-a veneer overlay rollback theirs
fails_with "has no version 9" b rollback theirs 9
has "$(b rollback theirs 1)" "theirs: version 3 is what version 1 was" || fail "rollback says something else"
expect "$(cat "$target-b/written")" written
has "$(b history theirs)" rollback || fail "history: $(b history theirs)"
# Both versions are kept, each with its room: a third does not fit, by whatever act and with whatever size.
mkdir -p /etc/veneer
printf '[overlay.user.veneer-b]\nsize = "5M"\n' >/etc/veneer/veneer.toml
fails_with "are left of what veneer.toml allows" b reset theirs
fails_with "are left of what veneer.toml allows" b rollback theirs
printf '[overlay.user.veneer-b]\nsize = "4M"\n' >/etc/veneer/veneer.toml
fails_with "are left of what veneer.toml allows" b apply theirs /home/veneer-b/source "$target-b" --writable --size=1M
printf '[overlay.user.veneer-b]\nsize = "7M"\n' >/etc/veneer/veneer.toml
b reset theirs

# Limits of users and groups; a file that cannot be read allows nothing.
cat >/etc/veneer/veneer.toml <<'TOML'
[overlay]
count = 1
[overlay.user.veneer-a]
size = "1K"
TOML
mkdir -p "$target-b2"
fails_with "veneer.toml allows 1" b apply second /home/veneer-b/source "$target-b2"
fails_with "are left of what veneer.toml allows" as veneer-a veneer overlay apply mine /home/veneer-a/source "$target"
echo '[overlay' >/etc/veneer/veneer.toml
fails_with "veneer check" b apply second /home/veneer-b/source "$target-b2"
rm /etc/veneer/veneer.toml

# Without polkit, or with one that does not answer, nobody may do anything; what everybody may know they still do.
closed() {
	fails_with "$1" as veneer-a veneer overlay apply mine /home/veneer-a/source "$target"
	fails_with "$1" b reset theirs
	fails_with "$1" b rollback theirs
	fails_with "$1" b remove theirs
	has "$(b list)" theirs || fail "list needs polkit"
}
systemctl mask --quiet --runtime --now polkit.service
closed "polkit cannot be asked"
systemctl unmask --quiet --runtime polkit.service
pkcheck=$(command -v pkcheck)
mv "$pkcheck" "$pkcheck.away"
closed "polkit is not here to be asked"
mv "$pkcheck.away" "$pkcheck"
systemctl start polkit.service

# What describes itself.
if command -v varlinkctl >/dev/null; then
	has "$(varlinkctl introspect /run/veneer/io.veneer.Overlay io.veneer.Overlay)" "method Apply" || fail "no description"
	has "$(as veneer-a varlinkctl call /run/veneer/io.veneer.Overlay io.veneer.Overlay.List '{}')" overlays ||
		fail "no list"
	has "$(as veneer-b varlinkctl call --json=short /run/veneer/io.veneer.Overlay io.veneer.Overlay.History '{"name":"theirs"}')" \
		'"by":"rollback"' || fail "no history"
fi

# Root's verbs are root's, on users' overlays too.
veneer overlay remove theirs
as veneer-a veneer overlay remove mine
expect "$(cat "$target/greeting" "$target-b/greeting" | paste -sd ' ')" "base base"
journal_has 'veneer-overlay-request@*' "asked to lay mine over $target: granted"

systemctl stop veneer-overlay-request.socket
rm -f /run/veneer/requests/*
eventually 5 sh -c '! systemctl --quiet is-active "veneer-overlay-request@*"'
[ -z "$(find /var/lib/veneer/requests -mindepth 2)" ] || fail "copies were left"
nothing_left
rm -rf "$target"* /etc/polkit-1/rules.d/50-veneer-test.rules
