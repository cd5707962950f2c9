# What it shows: a restart after an update of the image or of its file never runs the old one.
# Once: bookworm
# Timeout: 300

mkdir -p /opt/st
cp /bin/busybox /opt/st/busybox
hello_app st 'sleep 1000'
reload
snapshot
start st
old=$(readlink /run/veneer/apps/st/device)
systemctl restart app@st
running st
expect "$(cat "/sys/block/${old#/dev/}/dm/name")" "$(sed -n 's/^dm-name //p' /run/veneer/live/st)"

# A new image, as a package manager puts it: another file at the same path.
image new full
for side in raw verity roothash; do mv "$STORE/new.$side" "$STORE/st.$side"; done
systemctl restart app@st
running st
has "$(cat /run/veneer/live/st)" "shown integrity $(roothash st)" || fail "the old image is live: $(cat /run/veneer/live/st)"
journal_has app@st 'was replaced since it was mounted'
[ -d /run/veneer/apps/st/image/proc ] || fail "the old image is mounted"

# A crash restarts it from what is there then.
sed -i 's/^\[service\]/&\ndirectives = { Restart = "always", RestartSec = "0" }/' "$APPS/st.toml"
reload
systemctl restart app@st
image st hello
# So many restarts within ten seconds are more than systemd's start limit allows.
systemctl reset-failed app@st
systemctl kill -s KILL app@st
eventually 15 grep -q "shown integrity $(roothash st)" /run/veneer/live/st
eventually 15 running st
stop st
nothing_left

# Another source in the file.
sed -i '/directives/d' "$APPS/st.toml"
reload
start st
sed -i 's#file = .*#directory = "/opt/st"#; s#"/bin/sleep"#"/busybox", "sleep"#' "$APPS/st.toml"
reload
systemctl restart app@st
running st
has "$(cat /run/veneer/live/st)" 'directory /opt/st' || fail "the old image is live"
stop st
nothing_left

# An update that is not good stops the app from starting, and says so.
image st
sed -i 's#directory = .*#file = "st"#; s#"/busybox", "sleep"#"/bin/sleep"#' "$APPS/st.toml"
reload
start st
tr 0-9a-f 1-9a-f0 <"$STORE/st.roothash" >/run/wrong
install -m 644 /run/wrong "$STORE/st.roothash"
fails_with '' systemctl restart app@st
! running st || fail "it runs"
journal_has app@st "root hash of $STORE/st.raw does not match"
stop st
nothing_left
