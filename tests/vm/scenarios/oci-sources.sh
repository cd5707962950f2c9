# What it shows: an app starts from a registry and from archives, and again without them; a pull that fails says why.
# Container: yes
# Timeout: 600

. "$TEST_DIR/oci.sh"
made=$TEST_DIR/container
command -v skopeo >/dev/null && command -v docker-registry >/dev/null || skip "skopeo or docker-registry is not installed here"

# A registry on loopback, with the image in it.
dir=$(mktemp -d)
registry test-registry 5055 "$dir"

of() { oci_app "$1" oci "\"$2\""; }
cp "$made/hello.oci.tar" "$made/hello.docker.tar" "$dir/"
of registry docker://127.0.0.1:5055/hello:1
of archive "oci-archive:$dir/hello.oci.tar"
of docker "docker-archive:$dir/hello.docker.tar"
veneer check
reload
snapshot
for id in registry archive docker; do serves "$id"; done
nothing_left
journal_has veneer-pull@registry.service 'pulled, sha256:'
journal_has veneer-convert@registry.service 'version 1'
veneer image exists docker://127.0.0.1:5055/hello:1 || fail "the store does not have it"
veneer image exists docker://127.0.0.1:5055/other:1 && fail "the store has what never was"
has "$(veneer image inspect docker://127.0.0.1:5055/hello:1)" 'Used by: /etc/veneer/apps.d/registry.toml:2' ||
	fail "it is not said who uses the image"
has "$(veneer image inspect app:registry)" 'Made for: docker://127.0.0.1:5055/hello:1' ||
	fail "it is not said what the image was made for: $(veneer image inspect app:registry)"
has "$(veneer status registry)" 'Version: 1 (current): sha256-' || fail "$(veneer status registry)"
has "$(veneer image list)" 'registry 1 (current)' || fail "$(veneer image list)"

# The name that a list prints is one for every verb.
short=$(veneer image list | grep -o '^sha256-[0-9a-f]*')
for verb in verify inspect 'push --dry-run' 'pin --dry-run'; do
	to=()
	case $verb in push*) to=(oci:/run/nowhere:1) ;; esac
	# shellcheck disable=SC2086 # a verb and its option
	veneer image $verb "$short" "${to[@]}" >/dev/null || fail "$verb does not know $short"
done

# Others are told that images are root's.
expect "$(stat -c %a "$STORE" /var/lib/veneer/blobs/sha256 | paste -sd ' ')" '700 700'
fails_with 'run this as root' setpriv --reuid=65534 --clear-groups veneer image list
setpriv --reuid=65534 --clear-groups veneer status registry >/dev/null 2>&1 || [ $? = 3 ] || fail "a user sees no status"

# What was pulled is written as it came.
mkdir "$dir/original"
tar -xf "$made/hello.oci.tar" -C "$dir/original"
veneer image export registry "$dir/exported"
diff -r "$dir/original/blobs" "$dir/exported/blobs" || fail "the layout is not the one that was pushed"
digest() { grep -o '"digest":"[^"]*"' "$1/index.json"; }
expect "$(digest "$dir/exported")" "$(digest "$dir/original")"
grep -q '"imageLayoutVersion": *"1.0.0"' "$dir/exported/oci-layout" || fail "$(cat "$dir/exported/oci-layout")"
fails_with 'is there already' veneer image export registry "$dir/exported"
skopeo inspect "oci:$dir/exported" >/dev/null || fail "skopeo cannot read the layout"
has "$(veneer status registry)" 'veneer-pull@registry.service' || fail "the pull is no part of the app's status"

# All of them are one image, and no source is needed any more.
expect "$(find "$STORE" -name 'sha256-*.raw' | wc -l)" 1
systemctl stop test-registry
rm -rf "$dir"
for id in registry archive; do serves "$id"; done
journal_has veneer-convert@archive.service 'is not there any more'
of registry docker://127.0.0.1:5055/hello:2
reload
systemctl stop veneer-convert@registry veneer-pull@registry 2>/dev/null || :
unit=app@registry
[ -z "${CONTAINER:-}" ] || unit=veneer-convert@registry
systemctl start $unit 2>/dev/null && fail "an image that nobody has was started"
journal_has veneer-pull@registry.service 'the registry cannot be reached'
nothing_left
