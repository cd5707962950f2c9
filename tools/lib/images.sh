# shellcheck shell=bash
# Makes the test images with their hash trees, root hashes and signatures, on one EROFS disk.
# The same input gives the same root hash: salt, UUIDs and times are fixed; only the signing key is new.

IMAGES=$GUEST_CACHE/images
IMAGES_DISK=$GUEST_CACHE/images.erofs
IMAGE_UUID=76656e65-6572-4000-8000-000000000001
IMAGE_SALT=76656e6565720000000000000000000000000000000000000000000000000000

images_key() { cat "$REPO/tools/lib/images.sh" "$REPO"/tests/vm/images/* | sha256sum | cut -c1-16; }

make_images() {
	local begin
	[ "$(cat "$IMAGES.key" 2>/dev/null)" != "$(images_key)" ] || return 0
	install_guest_tools
	begin=$(now)
	say "making the test images"
	rm -rf "$IMAGES" "$IMAGES_DISK"
	mkdir -p "$IMAGES"
	signing_keys
	image_hello
	image_full
	image_static
	image_big
	rm -rf "$IMAGES"/*.root
	mkfs.erofs -T0 --all-root "$IMAGES_DISK" "$IMAGES" >/dev/null
	rm -f "$IMAGES"/big.*
	images_key >"$IMAGES.key"
	say "the test images are made, in $(elapsed "$begin" "$(now)") s"
}

# Two keys with certificates: test is the one the guests trust, other is a stranger's.
signing_keys() {
	local name
	for name in test other; do
		openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=Veneer $name key" \
			-keyout "$IMAGES/$name.key" -out "$IMAGES/$name.crt" 2>/dev/null
	done
	answer_program
}

answer_program() {
	gcc -static -O2 -s -Wall -Werror -o "$IMAGES/answer" "$REPO/tests/vm/images/answer.c"
}

sign() {
	printf '%s' "$(cat "$1")" | openssl smime -sign -nocerts -noattr -binary -outform der \
		-inkey "$IMAGES/$2.key" -signer "$IMAGES/$2.crt" -out "$3"
}

# seal NAME: NAME.root becomes NAME.raw with all its side files.
seal() {
	local name=$1 file=$IMAGES/$1 data hashes
	mkfs.erofs -T0 -U "$IMAGE_UUID" --all-root "$file.raw" "$file.root" >/dev/null
	data=$(stat -c %s "$file.raw")
	[ $((data % 4096)) = 0 ] || truncate -s $(((data / 4096 + 1) * 4096)) "$file.raw"
	hashes=$(veritysetup format --salt="$IMAGE_SALT" --uuid="$IMAGE_UUID" "$file.raw" "$file.verity")
	printf '%s\n' "$hashes" | awk '/^Root hash:/ { printf "%s", $3 }' >"$file.roothash"
	sign "$file.roothash" test "$file.roothash.p7s"
	sign "$file.roothash" other "$file.roothash.wrong.p7s"
}

# A root with busybox, a page to serve, and nothing to mount over.
hello_root() {
	local root=$1 tool
	mkdir -p "$root"/{bin,etc,srv/www}
	cp /bin/busybox "$root/bin/busybox"
	for tool in sh ls cat echo httpd id kill mount sleep stat test touch wget; do
		ln -s busybox "$root/bin/$tool"
	done
	ln -s bin "$root/sbin"
	mkdir -p "$root/usr"
	ln -s ../bin "$root/usr/bin"
	cp "$IMAGES/answer" "$root/bin/answer"
	printf 'hello from inside a verified image\n' >"$root/srv/www/index.html"
	printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	printf 'ID=veneer-test\nNAME="Veneer test root"\n' >"$root/etc/os-release"
}

image_hello() {
	hello_root "$IMAGES/hello.root"
	seal hello
}

# The same with every mount point in place, for skeleton = false.
image_full() {
	local root=$IMAGES/full.root
	hello_root "$root"
	mkdir -p "$root"/{proc,sys,dev,run,tmp,root,home} "$root/usr/share/zoneinfo" \
		"$root"/etc/ssl/certs "$root"/etc/pki "$root"/var/{tmp,cache,log,lib/private,cache/private,log/private}
	: >"$root/etc/machine-id"
	: >"$root/etc/resolv.conf"
	: >"$root/etc/localtime"
	seal full
}

# One static program, and not a single directory.
image_static() {
	mkdir -p "$IMAGES/static.root"
	cp "$IMAGES/answer" "$IMAGES/static.root/answer"
	seal static
}

# More than 512 MB of real files whose bytes do not compress and are the same every time.
image_big() {
	local root=$IMAGES/big.root i
	hello_root "$root"
	mkdir -p "$root/srv/data"
	for i in $(seq 1 135); do
		head -c 4M /dev/zero | openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -k "veneer $i" \
			>"$root/srv/data/$i" 2>/dev/null
	done
	seal big
}
