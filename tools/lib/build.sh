# shellcheck shell=bash
# Builds Veneer and installs it into a folder, target/tree, with meson and cargo.
# The programs must run on Debian 12 too, so on a newer Debian they are built inside a Debian 12 root.

BUILD_PACKAGES='systemd gcc libc6-dev pkg-config libssl-dev meson ninja-build'
TREE=$TARGET/tree

# systemd.pc is in systemd itself on Debian 12, and in systemd-dev since.
systemd_pc_package() {
	case $1 in
	bookworm) printf 'systemd\n' ;;
	*) printf 'systemd-dev\n' ;;
	esac
}

have_cargo() {
	local version
	version=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
	[ -n "$version" ] && dpkg --compare-versions "$version" ge 1.85
}

# Puts the programs of Debian 12's cargo-web and rustc-web in PATH under their plain names.
use_cargo_web() {
	local bin=$TARGET/rust-bin tool path
	mkdir -p "$bin"
	for tool in cargo rustc rustdoc; do
		path=$(dpkg -L cargo-web rustc-web 2>/dev/null | grep -E "/bin/$tool(-web|-[0-9.]+)?\$" | head -n 1) || :
		[ -z "$path" ] || ln -sf "$path" "$bin/$tool"
	done
	PATH=$bin:$PATH
	have_cargo || die "cargo-web is installed, but gives no cargo of 1.85 or later"
}

install_rust() {
	[ ! -d "$TARGET/rust-bin" ] || PATH=$TARGET/rust-bin:$PATH
	! have_cargo || return 0
	if [ "$(host_suite)" = bookworm ]; then
		apt_install '' cargo-web rustc-web
		use_cargo_web
	else
		apt_install '' cargo rustc
		have_cargo || die "this needs cargo 1.85 or later"
	fi
}

install_build_tools() {
	# shellcheck disable=SC2086 # a list of names, meant to be split
	apt_install '' $BUILD_PACKAGES "$(systemd_pc_package "$(host_suite)")"
	install_rust
}

# Builds and installs into target/tree; says nothing if all is well.
build_tree() {
	[ -f "$REPO/meson.build" ] || {
		mkdir -p "$TREE"
		return 0
	}
	on_bookworm native_tree
}

# The program that tools/parser and the scenario "parser" run; prints where it is. It is no part of what is installed.
build_parser() {
	on_bookworm native_parser >&2
	if [ "$(host_suite)" = bookworm ]; then
		printf '%s\n' "$TARGET/debug/examples/parser"
	else
		printf '%s\n' "$TARGET/bookworm/debug/examples/parser"
	fi
}

# on_bookworm FUNCTION: what is built must be linked where it runs in every guest.
on_bookworm() {
	install_build_tools
	if [ "$(host_suite)" = bookworm ]; then
		"$1"
	else
		in_build_root "$1"
	fi
}

# VENEER_QUICK: hardly optimized, in a target of its own; seconds instead of a minute.
# A subshell, so that the settings for cargo end here.
native_tree() (
	local build=$TARGET/meson reconfigure=
	export CARGO_TARGET_DIR=$TARGET
	if [ -n "${VENEER_QUICK:-}" ]; then
		build=$TARGET/meson-quick
		export CARGO_TARGET_DIR=$TARGET/quick
		export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
		export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_INCREMENTAL=true
	fi
	# Files may have come that were not there when it was set up.
	[ ! -f "$build/build.ninja" ] || reconfigure=--reconfigure
	quietly "$TARGET/log/meson-setup" meson setup $reconfigure --prefix=/usr "$build" "$REPO"
	quietly "$TARGET/log/build" meson compile -C "$build"
	rm -rf "$TREE"
	mkdir -p "$TREE"
	quietly "$TARGET/log/install" env DESTDIR="$TREE" meson install --no-rebuild -C "$build"
)

native_parser() {
	quietly "$TARGET/log/parser" cargo build --locked --example parser \
		--manifest-path "$REPO/Cargo.toml" --target-dir "$TARGET"
}

# A function of this file inside a Debian 12 root; cargo's downloads are made outside and lent to it.
in_build_root() {
	local root=$GUEST_CACHE/build-root home=${CARGO_HOME:-$HOME/.cargo}
	make_build_root "$root"
	quietly "$TARGET/log/fetch" cargo fetch --locked --manifest-path "$REPO/Cargo.toml"
	quietly "$TARGET/log/build" as_root unshare --mount --propagation private \
		bash "$REPO/tools/lib/build-in-root" "$1" "$root" "$REPO" "$home" "$(id -u):$(id -g)"
}

make_build_root() {
	local root=$1
	[ ! -f "$root/.veneer-build-root" ] || return 0
	say "making a Debian 12 root to build in"
	as_root rm -rf "$root"
	mkdir -p "$GUEST_CACHE"
	quietly "$TARGET/log/build-root" as_root mmdebstrap --mode=root --format=directory --variant=apt \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt=force-unsafe-io \
		--include="cargo-web,rustc-web,${BUILD_PACKAGES// /,}" \
		--customize-hook='touch "$1/.veneer-build-root"' \
		bookworm "$root" "$(debian_mirror)"
}
