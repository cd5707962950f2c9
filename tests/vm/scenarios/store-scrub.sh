# What it shows: a scrub reads every block, names what is damaged, and reads the other images all the same; what it can be made of is made again.
# Container: yes
# Timeout: 120

# says PROGRAM TEXT: by the program, since journald of systemd 252 does not always know the unit of one that has ended.
says() {
	eventually 5 bash -c 'journalctl --no-pager -o cat --since "$1" -t "$2" | grep -qF -- "$3"' bash "$SCENARIO_BEGAN" "$@"
}

in_time veneer-scrub@.service veneer-mend.service
image good
image bad
printf 'x' | dd of="$STORE/bad.raw" bs=1 seek=20000 conv=notrunc status=none
systemctl start veneer-scrub@good.service || fail "$(unit_journal veneer-scrub@good.service)"
says veneer-scrub 'every block is as its root hash says'
! systemctl start veneer-scrub@bad.service 2>/dev/null || fail 'a damaged image is good'
says veneer-scrub 'bad.raw is damaged in block 4'
has "$(cat /var/lib/veneer/scrub/bad.json)" 'damaged'
! systemctl start veneer-scrub@all.service 2>/dev/null || fail 'a damaged image is good'
says veneer-scrub 'good: every block'
says veneer-scrub 'bad.raw is damaged'
eventually 10 bash -c '! systemctl is-active --quiet veneer-mend.service'
says veneer-version 'bad is damaged, and it is not known of what'

# Made of a container image: a good copy takes the place of the damaged one.
veneer image pull "oci-archive:$TEST_DIR/container/hello.oci.tar"
raw=$(echo "$STORE"/sha256-*.raw)
name=$(basename "$raw" .raw)
sum=$(sha256sum <"$raw")
printf 'x' | dd of="$raw" bs=1 seek=20000 conv=notrunc status=none
! systemctl start "veneer-scrub@$(systemd-escape "$name").service" 2>/dev/null || fail 'a damaged image is good'
eventually 20 veneer image verify "$name"
expect "$(sha256sum <"$raw")" "$sum"
says veneer-version "$name: it was damaged, and was made again of oci-archive:"
[ ! -e "/var/lib/veneer/scrub/$name.json" ] || fail 'it is still taken for damaged'
systemctl reset-failed
veneer image list
rm -rf /var/lib/veneer/scrub
