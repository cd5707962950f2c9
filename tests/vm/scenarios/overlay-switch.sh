# What it shows: whoever reads a file of a target sees the old or the new content, and processes go on, through applies and resets.
# Container: yes
# Timeout: 300

target=/usr/share/veneer-switch
count=$(scale 20)
mkdir -p "$target" /root/switch
echo base >"$target/file"
cp /bin/sleep "$target/program"
echo 0 >/root/switch/file
cp /bin/sleep /root/switch/program
veneer overlay apply switch /root/switch "$target" --writable

# Its program, a file and its working directory are below the overlay that goes.
(cd "$target" && exec ./program 600 3<file) &
held=$!
at_work() { [ "$(readlink "/proc/$held/exe")" = "$target/program" ]; }
eventually 5 at_work

# Everything that is read, each thing once.
(
	set +e
	while [ ! -e /root/switch.end ]; do cat "$target/file" 2>&1; done | sort -u >/root/switch.seen
) &
reader=$!
for number in $(seq 1 "$count"); do
	echo "$number" >/root/switch/file.new && mv /root/switch/file.new /root/switch/file
	veneer overlay apply switch /root/switch "$target" --writable >/dev/null
	expect "$(cat "$target/file")" "$number"
	# In one step: who writes into a file that is read shows halves of it with and without overlays.
	echo written >"$target/new" && mv "$target/new" "$target/file"
	veneer overlay reset switch >/dev/null
	expect "$(cat "$target/file")" "$number"
done
touch /root/switch.end
wait "$reader"
odd=$(grep -vE '^([0-9]+|written|)$' /root/switch.seen || :)
if [ "$(uname -r | awk -F. '{ print $1 * 100 + $2 }')" -ge 605 ]; then
	expect "$odd" ""
else
	# The base may show for a moment.
	expect "${odd:-base}" base
fi
note "$count applies and $count resets; read meanwhile: $(wc -l </root/switch.seen) different things"
# It runs on, reads what it had open, and a new one gets the new files.
kill -0 "$held"
expect "$(cat "/proc/$held/fd/3")" 0
expect "$(stat -fc %T "$target")" overlayfs
expect "$(findmnt -rn -o TARGET | grep -c "^$target$")" 1
veneer overlay remove switch --lazy
kill -0 "$held"
expect "$(cat "$target/file")" base
kill "$held"
