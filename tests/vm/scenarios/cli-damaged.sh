# What it shows: status tells of blocks that the kernel found damaged while the app ran.
# Once: trixie

hello_app hello 'httpd -f -p 8080 -h /srv/www'
reload
start hello
has "$(veneer status hello)" "Damaged:" && fail "nothing is damaged yet" || :
where=$(grep -abo "hello from inside" "$STORE/hello.raw" | head -n 1 | cut -d: -f1)
printf x | dd of="$STORE/hello.raw" bs=1 seek="$where" conv=notrunc status=none
sync
echo 3 >/proc/sys/vm/drop_caches
get 8080 && fail "a damaged page was served" || :
eventually 5 sh -c 'veneer status hello | grep -q Damaged:'
veneer status hello || :
veneer status hello --json=short | grep -q '"damage":\[".' || fail "JSON does not tell"
stop hello
