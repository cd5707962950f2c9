# shellcheck shell=bash
# Installs the Debian packages the tools need, and finds the Debian mirror this machine uses.
# It names no mirror of its own: whatever apt here is set up with is what the guests are made from.

APT_UPDATED=

apt_update() {
	[ -z "$APT_UPDATED" ] || return 0
	quietly "$TARGET/log/apt-update" as_root apt-get update -q
	APT_UPDATED=yes
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The packages of the list that are not there yet.
missing() {
	local p
	for p in "$@"; do installed "$p" || printf '%s ' "$p"; done
}

# apt_install RELEASE PACKAGE...: RELEASE may be empty for what apt prefers by itself.
apt_install() {
	local release=$1 want
	shift
	want=$(missing "$@")
	[ -n "$want" ] || return 0
	say "installing with apt: $want"
	apt_update
	# shellcheck disable=SC2086 # a list of names, meant to be split
	quietly "$TARGET/log/apt-install" as_root env DEBIAN_FRONTEND=noninteractive apt-get install \
		-qy --no-install-recommends ${release:+-t "$release"} $want
}

# The first of the mirrors that a mirror+file: URI stands for, any other URI as it is.
resolve_mirror() {
	case $1 in
	mirror+file:*) awk '!/^#/ && NF { print $1; exit }' "${1#mirror+file:}" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# The URI of the Debian archive this machine's apt uses.
debian_mirror() {
	local uri
	uri=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' |
		awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
	if [ -z "$uri" ]; then
		apt_update
		uri=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' |
			awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
	fi
	[ -n "$uri" ] || die "apt on this machine knows no Debian archive: add one to its sources"
	resolve_mirror "$uri"
}

# Makes bookworm-backports known to apt, from the mirror that apt already uses.
add_backports() {
	local list=/etc/apt/sources.list.d/veneer-backports.sources
	! apt-get indextargets --format '$(RELEASE)' | grep -q backports || return 0
	say "adding bookworm-backports to apt, in $list"
	printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\nSigned-By: %s\n' \
		"$(debian_mirror)" /usr/share/keyrings/debian-archive-keyring.gpg |
		as_root tee "$list" >/dev/null
	APT_UPDATED=
}

# QEMU 7.2, of Debian 12 itself, corrupts the memory of the guests it emulates.
install_qemu() {
	if [ "$(host_suite)" = bookworm ]; then
		if ! installed qemu-system-x86 || dpkg --compare-versions \
			"$(dpkg-query -W -f '${Version}' qemu-system-x86)" lt 1:10; then
			add_backports
			APT_UPDATED=
			apt_upgrade_qemu
		fi
	fi
	apt_install '' qemu-system-x86 qemu-utils
}

apt_upgrade_qemu() {
	say "installing with apt: qemu-system-x86 of bookworm-backports"
	apt_update
	quietly "$TARGET/log/apt-qemu" as_root env DEBIAN_FRONTEND=noninteractive apt-get install \
		-qy --no-install-recommends -t bookworm-backports qemu-system-x86 qemu-utils
}

install_guest_tools() {
	apt_install '' mmdebstrap debian-archive-keyring e2fsprogs erofs-utils cryptsetup-bin busybox-static \
		openssl cpio xz-utils zstd kmod gcc libc6-dev python3
	install_qemu
}
