# shellcheck shell=bash
# Boots a converted root in a virtual machine, as far as its agent's first line, and asks the agent.
# The kernel is a guest's; the initrd is that guest's with a program of its own. It ends only the QEMU it started.

MICROVM_SUITE=${MICROVM_SUITE:-trixie}

# microvm_parts DIR: agent, vmlinuz and initrd of the test's machines.
microvm_parts() {
	local dir=$1 guest=$GUEST_CACHE/$MICROVM_SUITE tree
	mkdir -p "$dir"
	gcc -static -O2 -s -Wall -Wextra -Werror -o "$dir/vm-agent" "$REPO/tests/vm/microvm/agent.c"
	cp "$guest/vmlinuz" "$dir/"
	tree=$(mktemp -d)
	(cd "$tree" && cpio -idm --quiet) <"$guest/initrd"
	install -m 755 "$REPO/tests/vm/microvm/init" "$tree/init"
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$dir/initrd"
	rm -rf "$tree"
}

# Without KVM this machine has no clock that it could measure others by: it is told how fast its own is.
microvm_clock() {
	local accel=$1
	[[ $accel == *kvm* ]] || awk -F: '/^cpu MHz/ { printf "tsc_early_khz=%d", $2 * 1000; exit }' /proc/cpuinfo
}

# boot_microvm PARTS IMAGE RUN: a machine on a copy-on-write disk over an image, with its console in RUN/console and its
# agent's port as the socket RUN/agent.
boot_microvm() {
	local parts=$1 image=$2 run=$3 accel
	accel=$(qemu_accel)
	qemu-img create -q -f qcow2 -F raw -b "$image" "$run/root.qcow2"
	# shellcheck disable=SC2086 # a list of words, meant to be split
	qemu-system-x86_64 $accel -M microvm,pcie=on -m 256M -nic none -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$parts/vmlinuz" -initrd "$parts/initrd" \
		-append "console=ttyS0 quiet panic=-1 $(microvm_clock "$accel")" \
		-drive "if=none,id=root,format=qcow2,cache=unsafe,file=$run/root.qcow2" -device virtio-blk-pci,drive=root \
		-device virtio-serial-pci -chardev "socket,id=agent,path=$run/agent,server=on,wait=off" \
		-device virtserialport,chardev=agent,name=veneer-agent \
		-serial "file:$run/console" -monitor none </dev/null >"$run/qemu.log" 2>&1 &
	MICROVM_PID=$!
}

# agent_asked SOCKET LINE...: prints the agent's answer to each line; nothing is answered to the last one if it is "off".
agent_asked() {
	python3 - "$@" <<'PYTHON'
import socket, sys
port = socket.socket(socket.AF_UNIX)
port.settimeout(60)
port.connect(sys.argv[1])
lines = port.makefile("rw")
for line in sys.argv[2:]:
    print(line, file=lines, flush=True)
    if line != "off":
        print(lines.readline().rstrip("\n"))
PYTHON
}

# agent_boots PARTS IMAGE: the agent says its first line within two minutes, answers, and powers the machine off.
agent_boots() {
	local parts=$1 image=$2 run tries=1200 asked
	run=$(mktemp -d "${TMPDIR:-/var/tmp}/veneer-microvm-XXXXXX")
	boot_microvm "$parts" "$image" "$run"
	until grep -q '^vm-agent: ready' "$run/console" 2>/dev/null || [ "$tries" = 0 ] || ! kill -0 "$MICROVM_PID"; do
		sleep 0.1
		tries=$((tries - 1))
	done
	asked=$(agent_asked "$run/agent" ping 'read /srv/www/index.html' 'write /var/tmp/written 100000' off) || :
	if [ "$asked" != "$(printf 'pong\nhello from inside a verified image\nwritten')" ]; then
		kill "$MICROVM_PID" 2>/dev/null || :
	fi
	wait "$MICROVM_PID" || :
	grep '^vm-agent: ready' "$run/console" || tail -n 40 "$run/console" "$run/qemu.log"
	printf '%s\n' "$asked"
	rm -rf "$run"
	[ "$asked" = "$(printf 'pong\nhello from inside a verified image\nwritten')" ]
}
