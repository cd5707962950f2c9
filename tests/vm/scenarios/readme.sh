# What it shows: the steps of README.md, run as they stand there, do what it says, and leave nothing; its TOML is good.
# Once: trixie
# Timeout: 300

page=/usr/share/doc/veneer/README.md
work=$(mktemp -d)

# What a reader has, and this guest has under another name.
sudo() { "$@"; }
curl() { local at=${*: -1}; at=${at#http://localhost:}; eventually 5 get "${at%%/*}" "/${at#*/}"; get "${at%%/*}" "/${at#*/}"; }
export -f sudo curl get eventually fail

# blocks LANGUAGE: all blocks of the page in this language, one after the other.
blocks() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "$page"; }

# Each TOML block begins with the name of the file it stands for.
toml_files() {
	local line file=
	blocks toml | while IFS= read -r line; do
		case $line in
		'# /etc/veneer/'*.toml) file=${line#\# } && mkdir -p "$(dirname "$file")" && : >"$file" ;;
		*) [ -z "$file" ] || printf '%s\n' "$line" >>"$file" ;;
		esac
	done
}

[ -s "$page" ] || fail "there is no $page"
mkdir -p "$APPS" # as after installing
snapshot
blocks sh >"$work/steps"
grep -q 'systemctl start app@hello' "$work/steps" || fail "no steps found in $page"
(cd "$work" && bash -euo pipefail ./steps >out 2>&1) || fail "the steps failed: $(tail -n 20 "$work/out")"
grep -q 'hello from a verified image' "$work/out" || fail "no page was served: $(cat "$work/out")"
grep -q signed "$work/out" || fail "veneer status does not say that the image is signed: $(cat "$work/out")"
nothing_left

toml_files
[ -f /etc/veneer/apps.d/report.toml ] || fail "no TOML found in $page"
echo secret >/etc/hello.token
said=$(veneer check 2>&1) || fail "veneer check refuses what is in the README: $said"
reload
verify_units
start hello
eventually 5 get 8080
expect "$(get 8080)" 'hello from a verified image'
systemctl start app-report.timer
systemctl is-active --quiet app-report.timer
start report
stop hello
systemctl stop app-report.timer
nothing_left
rm -rf "$work" /etc/hello.token
