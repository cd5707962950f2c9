# shellcheck shell=bash
# Makes the guests: per suite a root disk, a /var disk, a kernel and a small initrd, kept under target/guest.
# What is in a guest is said here and in tests/vm/guest, and a change of either makes it anew.

GUEST_PACKAGES=systemd,systemd-sysv,udev,dbus,kmod,dmsetup,cryptsetup-bin,erofs-utils,libseccomp2,libnss-systemd,e2fsprogs
GUEST_PACKAGES+=,busybox-static,openssl,util-linux,mount,procps,iproute2,python3-minimal,strace,passwd,attr
# What the store, overlays and sessions are tried with: container tools and a registry, polkit, file systems with reflinks.
GUEST_PACKAGES+=,skopeo,buildah,podman,docker-registry,polkitd,xfsprogs,btrfs-progs,systemd-container
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

guest_packages() {
	case $1 in
	bookworm) printf '%s\n' "$GUEST_PACKAGES" ;;
	*) printf '%s,systemd-cryptsetup\n' "$GUEST_PACKAGES" ;;
	esac
}

guest_recipe_key() {
	cat "$REPO/tools/lib/guest-make.sh" "$REPO"/tests/vm/guest/* | sha256sum | cut -c1-16
}

guest_ready() {
	[ "$(cat "$GUEST_CACHE/$1/key" 2>/dev/null)" = "$(guest_recipe_key)" ]
}

# make_guest SUITE: nothing to do if it is there already.
make_guest() {
	local suite=$1 begin dir=$GUEST_CACHE/$1
	guest_ready "$suite" && return 0
	install_guest_tools
	begin=$(now)
	say "making the $suite guest"
	as_root rm -rf "$dir"
	mkdir -p "$dir"
	guest_root "$suite" "$dir"
	guest_kernel "$dir"
	guest_disks "$dir"
	as_root rm -rf "$dir/root" "$dir/var" "$dir/kernel" "$dir/debs"
	guest_recipe_key >"$dir/key"
	say "the $suite guest is made, in $(elapsed "$begin" "$(now)") s"
}

# Unpacks the suite's packages to DIR/root, and fetches its kernel packages to DIR/debs.
guest_root() {
	local suite=$1 dir=$2
	mkdir -p "$dir/debs"
	as_root mmdebstrap --mode=root --format=directory --variant=essential --keyring="$KEYRING" \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
		--aptopt='APT::Sandbox::User "root"' --dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --include="$(guest_packages "$suite")" \
		--customize-hook="sh '$REPO/tests/vm/guest/fetch-kernel' '$dir/debs'" \
		--customize-hook="sh '$REPO/tests/vm/guest/customize' \"\$1\"" \
		"$suite" "$dir/root" "$(debian_mirror)" >"$dir/mmdebstrap.log" 2>&1
}

# The kernel's files go to DIR/kernel, its modules into the root, and it and its initrd beside the disks.
guest_kernel() {
	local dir=$1 deb version
	for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$dir/kernel"; done
	version=$(cd "$dir/kernel" && find . -path '*lib/modules/*' -prune -name '*-amd64' -printf '%f\n')
	[ -n "$version" ] || die "no kernel modules in $dir/debs"
	cp "$(kernel_file "$dir/kernel" "$version")" "$dir/vmlinuz"
	[ ! -d "$dir/kernel/lib/modules" ] || as_root cp -a "$dir/kernel/lib/modules" "$dir/root/usr/lib/"
	[ ! -d "$dir/kernel/usr/lib/modules" ] || as_root cp -a "$dir/kernel/usr/lib/modules" "$dir/root/usr/lib/"
	as_root chown -R 0:0 "$dir/root/usr/lib/modules"
	as_root depmod -b "$dir/root" "$version"
	guest_initrd "$dir" "$version"
}

# In /boot until Linux 7, beside its modules since.
kernel_file() {
	local file
	for file in "$1/boot/vmlinuz-$2" "$1/usr/lib/modules/$2/vmlinuz"; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done
}

# An initrd of our own: busybox, the modules of the disks, and tests/vm/guest/init.
guest_initrd() {
	local dir=$1 version=$2 tree
	tree=$(mktemp -d)
	mkdir -p "$tree"/{bin,dev,proc,sys,modules,sysroot}
	cp /bin/busybox "$tree/bin/busybox"
	install -m 755 "$REPO/tests/vm/guest/init" "$tree/init"
	initrd_modules "$dir/root" "$version" "$tree/modules" >"$tree/modules/list"
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$dir/initrd"
	rm -rf "$tree"
}

# Copies what virtio disks and ext4 need, prints the file names in the order to load them.
initrd_modules() {
	local root=$1 version=$2 out=$3 m file
	for m in virtio_pci virtio_blk virtio_console ext4; do
		modprobe -d "$root" -S "$version" --show-depends "$m" 2>/dev/null
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		m=$(basename "$file")
		case $m in
		*.xz) xz -dc "$file" >"$out/${m%.xz}" ;;
		*.zst) zstd -qdc "$file" >"$out/${m%.zst}" ;;
		*) cp "$file" "$out/$m" ;;
		esac
		printf '%s\n' "${m%.ko*}.ko"
	done
}

# Two disks, for / and for /var, so that every boot has a /var that is mounted late.
guest_disks() {
	local dir=$1
	as_root mv "$dir/root/var" "$dir/var"
	as_root mkdir -m 755 "$dir/root/var"
	guest_disk "$dir" root 3G
	guest_disk "$dir" var 8G
}

guest_disk() {
	local dir=$1 name=$2 size=$3
	as_root mke2fs -t ext4 -L "$name" -E lazy_itable_init=1,lazy_journal_init=1 -m 0 \
		-d "$dir/$name" "$dir/$name.raw" "$size" >"$dir/mke2fs.log" 2>&1
	as_root chown "$(id -u):$(id -g)" "$dir/$name.raw"
}
