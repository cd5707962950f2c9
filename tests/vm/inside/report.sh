# shellcheck shell=bash
# The report port: how the guest tells the host, line by line, what goes on.
# Lines begin with @ and a word; whatever else is sent is shown as it is. Only one process may hold the port.

# shellcheck disable=SC2034 # for whoever sources this
TEST_DIR=/usr/lib/veneer-test
PORT=/dev/virtio-ports/veneer-test

# Waits for udev to name the port, at boot.
report_open() {
	local tries=100
	until [ -c "$PORT" ] || [ -p "$PORT" ] || [ "$tries" = 0 ]; do
		sleep 0.1
		tries=$((tries - 1))
	done
}

report() { printf '@%s\n' "$*" >>"$PORT"; }

# Sends what comes on standard input, each line behind a bar.
report_text() { sed 's/^/  | /' >>"$PORT"; }

uptime_now() { cut -d' ' -f1 /proc/uptime; }
