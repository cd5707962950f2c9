#!/bin/bash
# Checks the man pages: no complaint from mandoc's lint, none from man itself at 80 columns, and every page
# that another one names is there, if it is one of ours. A tool that is not installed is not used, and said.
set -euo pipefail

cd "$(dirname "$0")/../man"
bad=0

# said WHAT OUTPUT
said() {
	[ -n "$2" ] || return 0
	printf '%s: %s\n' "$1" "$2" >&2
	bad=1
}

# All pages but aliases, which name theirs by its path below the man directory.
pages() { grep -L '^\.so ' ./*.[158]; }

lint() {
	command -v mandoc >/dev/null || { echo 'man: mandoc is not installed, pages are not linted' >&2; return 0; }
	local page
	for page in $(pages); do
		# A cross reference to a page that this machine lacks is no fault.
		said "$page" "$(mandoc -T lint -W style "$page" | grep -v 'referenced manual not found' || :)"
	done
}

render() {
	command -v man >/dev/null || { echo 'man: man is not installed, pages are not rendered' >&2; return 0; }
	local page
	for page in $(pages); do
		said "$page" "$(MANWIDTH=80 man --warnings -Tutf8 -l "$page" 2>&1 >/dev/null)"
	done
}

# Pages of ours that are named, as "veneer.app (5)", and do not exist.
references() {
	local name section
	sed -nE 's/^\.BR ([^ ]*(veneer|app@)[^ ]*) \(([158])\).*/\1 \3/p' ./*.[158] | sed 's/\\-/-/g' | sort -u |
		while read -r name section; do
			[ -e "$name.$section" ] || echo "$name($section)"
		done
}

lint
render
said 'pages named but missing' "$(references | tr '\n' ' ')"
exit "$bad"
