#!/bin/bash
# Checks an installed tree (DESTDIR of "meson install"): everything is there, with its mode, and fits together.
# Usage: tests/install.sh TREE. It builds and installs nothing; docs/packaging.md lists what must be where.
set -euo pipefail

tree=${1:?usage: tests/install.sh TREE}
repo=$(cd "$(dirname "$0")/.." && pwd)
bad=0

wrong() {
	echo "install: $*" >&2
	bad=1
}

# there TYPE MODE PATH
there() {
	local found
	found=$(stat -c '%F %a' "$tree$3" 2>/dev/null) || found=missing
	case $found in
	"$1 $2" | "regular empty file $2") ;;
	*) wrong "$3 is '$found', not '$1 $2'" ;;
	esac
}

programs() {
	local name
	there 'regular file' 755 /usr/bin/veneer
	there 'regular file' 755 /usr/lib/systemd/system-generators/veneer-generator
	for name in clone convert explain inject verity overlay overlay-request prune pull signature version; do
		there 'regular file' 755 "/usr/libexec/veneer/veneer-$name"
	done
}

data() {
	local path
	for path in bash-completion/completions/veneer zsh/vendor-completions/_veneer fish/vendor_completions.d/veneer.fish; do
		there 'regular file' 644 "/usr/share/$path"
	done
	for path in systemd/system/veneer-{prune.service,prune.timer,prune-full.service,prune-full.path,scrub@.service,scrub@.timer} \
		systemd/system/{app@,veneer-check@,veneer-detach@,veneer-convert@,veneer-inject@,veneer-verity@,veneer-overlay@,veneer-pull@,veneer-rollback@,veneer-mend,veneer-prune,veneer-scrub@}.service \
		systemd/system/veneer-session-reap.service \
		systemd/system/veneer-overlay-{host@,recover,request@}.service systemd/system/veneer-overlay-request.socket \
		systemd/system/{app-session-@,veneer-clone-@}.service.d/10-veneer.conf \
		systemd/system/{run-veneer-apps-.mount,veneer-verity@.service}.d/10-veneer.conf tmpfiles.d/veneer.conf \
		veneer/profiles/{default,nonetwork,trusted,convert-layers,pull-build,pull-storage}.conf; do
		there 'regular file' 644 "/usr/lib/$path"
	done
	# What the repository has, the tree must have.
	shipped udev/60-veneer.rules /usr/lib/udev/rules.d
	shipped catalog/veneer.catalog /usr/lib/systemd/catalog
	shipped share/veneer.app.schema.json /usr/share/veneer
	shipped share/veneer.overlay.schema.json /usr/share/veneer
	shipped share/veneer.toml.schema.json /usr/share/veneer
	shipped polkit/io.veneer.overlay.policy /usr/share/polkit-1/actions
	shipped examples/overlays.d/site.toml /usr/share/doc/veneer/examples/overlays.d
	shipped examples/overlays/batch.toml /usr/share/doc/veneer/examples/overlays
	shipped examples/polkit/50-veneer-overlay.rules /usr/share/doc/veneer/examples/polkit
	shipped docs/overlays.md /usr/share/doc/veneer/docs
	shipped examples/hello.toml /usr/share/doc/veneer/examples
	for path in microvm/{README.md,microvm.toml,microvm.env,microvm@.service} reflink/{README.md,pool.toml,srv-veneer.mount}; do
		shipped "examples/$path" "/usr/share/doc/veneer/examples/$(dirname "$path")"
	done
	there directory 755 /etc/veneer/apps.d
	there directory 755 /etc/veneer/overlays.d
	there directory 755 /usr/lib/veneer/apps.d
	for path in registries.conf.d registries.d; do there directory 755 "/usr/lib/veneer/$path"; done
}

shipped() {
	[ ! -f "$repo/$1" ] || there 'regular file' 644 "$2/$(basename "$1")"
}

pages() {
	local page section
	for page in "$repo"/man/*.[158]; do
		page=$(basename "$page") section=${page##*.}
		there 'regular file' 644 "/usr/share/man/man$section/$page"
	done
}

skeleton() {
	local dir=/usr/lib/veneer/skeleton name
	for name in dev etc etc/ssl/certs home proc run sys usr var/lib; do there directory 755 "$dir/$name"; done
	for name in tmp var/tmp; do there directory 1777 "$dir/$name"; done
	for name in root var/{lib,cache,log}/private; do there directory 700 "$dir/$name"; done
	for name in machine-id resolv.conf localtime; do
		there 'regular file' 644 "$dir/etc/$name"
		[ ! -s "$tree$dir/etc/$name" ] || wrong "$dir/etc/$name is not empty"
	done
}

# Nothing unconfigured is left in the units, and each program that one names is installed.
units() {
	local program
	! grep -rn '@libexecdir@' "$tree/usr/lib/systemd" || wrong 'a unit is not configured'
	grep -rhoE '^Exec[A-Za-z]*=[-+!]*/[^ ]+' "$tree/usr/lib/systemd/system" | sed -E 's/^[^/]*//' | sort -u |
		{ while read -r program; do [ -x "$tree$program" ] || echo "$program"; done; } >"$tree.missing"
	[ ! -s "$tree.missing" ] || wrong "units name programs that are not installed: $(cat "$tree.missing")"
	rm -f "$tree.missing"
}

# The programs know where their helpers are: the generated units name them.
paths() {
	grep -q /usr/libexec/veneer "$tree/usr/lib/systemd/system-generators/veneer-generator" ||
		wrong 'the generator does not know the directory of the helpers'
}

# Nobody else's file is overwritten: all that is ours has our name, or lies in a directory of ours.
names() {
	local stray
	stray=$(cd "$tree" && find . ! -type d ! -path '*veneer*' ! -path '*/app@.service*')
	[ -z "$stray" ] || wrong "these names are not ours: $stray"
}

programs
data
pages
skeleton
units
paths
names
exit "$bad"
