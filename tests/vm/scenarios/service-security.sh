# What it shows: systemd's own judgement of the strict profile: an exposure of at most 1.5.
# Container: yes

hello_app hello 'httpd -f -p 8080 -h /srv/www'
reload
said=$(systemd-analyze security --no-pager app@hello.service | tail -n 1)
exposure=$(printf '%s\n' "$said" | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
note "exposure $exposure"
awk -v e="$exposure" 'BEGIN { exit !(e > 0 && e <= 1.5) }' || fail "$said"
