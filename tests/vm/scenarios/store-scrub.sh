# What it shows: a scrub reads every block, names what is damaged, goes on where it stopped, and reads the other images all the same.
# Container: yes
# Timeout: 120

image good
image bad
printf 'x' | dd of="$STORE/bad.raw" bs=1 seek=20000 conv=notrunc status=none
systemctl start veneer-scrub@good.service || fail "$(unit_journal veneer-scrub@good.service)"
journal_has veneer-scrub@good.service 'every block is as its root hash says'
! systemctl start veneer-scrub@bad.service 2>/dev/null || fail 'a damaged image is good'
journal_has veneer-scrub@bad.service 'bad.raw is damaged in block 4'
has "$(cat /var/lib/veneer/scrub/bad.json)" 'damaged'
! systemctl start veneer-scrub@all.service 2>/dev/null || fail 'a damaged image is good'
journal_has veneer-scrub@all.service 'good: every block'
journal_has veneer-scrub@all.service 'bad.raw is damaged'
systemctl reset-failed
veneer image list
rm -rf /var/lib/veneer/scrub
