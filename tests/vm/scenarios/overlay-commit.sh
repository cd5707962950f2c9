# What it shows: what an overlay changes becomes an image, and the image applied is the same tree, file by file.
# Container: yes
# Timeout: 180

target=/usr/share/veneer-commit
mkdir -p "$target/gone" "$target/kept" "$target/replaced" /root/commit/d
for file in a b gone/x kept/y replaced/z; do echo "base $file" >"$target/$file"; done
echo source >/root/commit/d/file
echo source >/root/commit/a
ln -s nowhere /root/commit/link
veneer overlay apply commit /root/commit "$target" --writable
echo written >"$target/b"
chmod 0640 "$target/kept/y"
chown 12:34 "$target/a"
rm -r "$target/gone"
rm -r "$target/replaced" && mkdir "$target/replaced" && echo new >"$target/replaced/new"
ln "$target/b" "$target/hard"
mkfifo "$target/pipe"
head -c 3000000 /dev/urandom >"$target/big"
truncate -s 1G "$target/hole"
touch -d '1999-12-31 23:59:59.123456789' "$target/d/file"
setcap cap_net_raw+ep "$target/big" 2>/dev/null || note "no setcap here"
setfattr -n user.colour -v blue "$target/d" 2>/dev/null || note "no user attributes here"

# whole DIRECTORY: type, mode, owner, links, size, time, attributes and content of everything.
whole() {
	(
		cd "$1" || exit
		find . -mindepth 1 \( -type d -printf '%p %y %m %U %G\n' -o -printf '%p %y %m %U %G %n %s %T@ %l\n' \) | sort
		find . -type f ! -name hole -print0 | sort -z | xargs -0 sha256sum
		find . -mindepth 1 -print0 | sort -z | xargs -0 getfattr -dhm '^(user|security.capability)' 2>/dev/null || :
	)
}
diff=$(veneer overlay diff commit)
for line in "A w -rw-r--r--" "/big" "D w" "/gone" "C w -rw-r-----" "/kept/y"; do has "$diff" "$line" || fail "no '$line' in $diff"; done
expect "$(veneer overlay diff commit --written --json=short | grep -o '"path":"d/file"' | head -n 1)" '"path":"d/file"'
whole "$target" >/root/commit.before
veneer overlay commit commit --output="$STORE/change"
whole "$target" | diff /root/commit.before -

# It is a version to go back to, whatever was written since; who writes on sees nothing of it.
history() { veneer overlay history commit --json=short; }
has "$(history)" '"by":"commit"' && has "$(history)" "\"committed\":[\"$STORE/change.raw\"]" || fail "$(history)"
exec 5>>"$target/b"
veneer overlay commit commit --output="$STORE/change"
echo later >&5
exec 5>&-
expect "$(paste -sd ' ' "$target/b")" "written later"
rm "$target/big"
veneer overlay rollback commit
whole "$target" | diff /root/commit.before -
veneer overlay remove commit
expect "$(cat "$target/b")" "base b"
veneer overlay apply commit "$STORE/change.raw" "$target"
whole "$target" | diff /root/commit.before -
veneer overlay remove commit
# Again, over a writable overlay that stays.
veneer overlay apply commit "$STORE/change.raw" "$target" --writable --persistent --size=8M
whole "$target" | diff /root/commit.before -
echo more >"$target/more"
veneer overlay commit commit --output="$STORE/again" | grep -q 'kept as version 2'
rm "$target/more" "$target/b"
veneer overlay reset commit
veneer overlay rollback commit 2
expect "$(cat "$target/more" "$target/b" | paste -sd ' ')" "more written"
veneer overlay remove commit
# What is read only is a version, too.
veneer overlay apply commit /root/commit "$target"
veneer overlay commit commit --output="$STORE/third" | grep -q 'kept as version 2'
veneer overlay rollback commit
expect "$(cat "$target/a")" source
veneer overlay remove commit
expect "$(find /run/veneer/overlays /var/lib/veneer/host-overlays -mindepth 1 ! -name .lock)" ""
# An image that was changed is no source.
printf changed | dd of="$STORE/change.raw" bs=1 seek=1000000 conv=notrunc 2>/dev/null
fails_with "is damaged in block" veneer overlay apply commit "$STORE/change.raw" "$target"
expect "$(veneer overlay list)" "no overlay lies over this host"
