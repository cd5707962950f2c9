# What it shows: an imported archive is an image and an app's file, and the app starts from that file; a file that is there stays.
# Container: yes
# Timeout: 120

# The test image, with a program to run.
dir=$(mktemp -d)
tar -xf "$TEST_DIR/container/hello.docker.tar" -C "$dir"
config=$(sed -E 's/.*"Config":"([^"]+)".*/\1/' "$dir/manifest.json")
run='"Entrypoint":["/bin/httpd"],"Cmd":["-f","-p","8080","-h","/srv/www"],"Labels":{"org.opencontainers.image.title":"Hello"}'
sed -i "s|\"config\":{}|\"config\":{$run}|" "$dir/$config"
new=$(sha256sum <"$dir/$config" | cut -d' ' -f1).json
mv "$dir/$config" "$dir/$new"
sed -i "s/$config/$new/" "$dir/manifest.json"
tar -C "$dir" -cf "$dir.tar" .
archive=docker-archive:$dir.tar
file=$APPS/imported.toml

# Without an id, the text is only shown.
said=$(veneer image import "$archive")
has "$said" 'exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]' || fail "$said"
[ ! -e "$file" ] || fail "a file was written though nobody asked"

veneer image import "$archive" --id imported
has "$(cat "$file")" "oci = \"$archive\"" || fail "$(cat "$file")"
has "$(cat "$file")" 'description = "Hello"' || fail "$(cat "$file")"
veneer check
reload
snapshot
id=imported
if [ -n "${CONTAINER:-}" ]; then
	# There is no dm-verity: the file's own image is made, and the rest of the file runs on it as it is.
	systemctl start veneer-convert@imported || fail "$(unit_journal veneer-convert@imported.service)"
	id=bare
	raw=$(realpath /var/lib/veneer/apps/imported/current)
	sed "s|^oci = .*|file = \"$raw\"\nrequire = \"none\"|" "$file" >"$APPS/bare.toml"
	reload
fi
start "$id"
eventually 20 get 8080
expect "$(get 8080)" 'hello from inside a verified image'
has "$(veneer status imported)" 'Version: 1 (current): sha256-' || fail "$(veneer status imported)"
stop "$id"
nothing_left

# What the admin has there by now is not written over, be it a link to nothing.
echo '# mine' >>"$file"
sum=$(sha256sum <"$file")
fails_with 'is there already' veneer image import "$archive" --id imported
expect "$(sha256sum <"$file")" "$sum"
ln -s nowhere "$APPS/linked.toml"
fails_with 'is there already' veneer image import "$archive" --id linked
expect "$(readlink "$APPS/linked.toml")" nowhere

rm -rf "$dir" "$dir.tar" "$APPS/linked.toml" "$file" "$APPS/bare.toml"
reload
