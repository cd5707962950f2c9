# shellcheck shell=bash
# Boots a guest in QEMU, on copy-on-write disks in a folder of the run's own.
# It never changes a cached guest, and it ends only the QEMU it started, by its process id.
# tools/lib/nspawn.sh has functions of the same names, for containers.

QEMU_MEMORY=${VENEER_GUEST_MEMORY:-2G}
# Two guests run at a time. More emulated processors than real ones only wait for each other, and QEMU 10.0 may abort
# (iotlb_to_section) when one of two boots while the other is kept waiting.
QEMU_CPUS=${VENEER_GUEST_CPUS:-$(($(nproc) < 4 ? 1 : 2))}
MACHINE_PID=

# Whether KVM runs code, not only whether its device is there: a boot sector that says 0x10 to the exit port.
kvm_works() {
	local disk code
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	disk=$(mktemp)
	{
		printf '\xb0\x10\xba\xf4\x00\xee\xf4'
		head -c 503 /dev/zero
		printf '\x55\xaa'
	} >"$disk"
	code=0
	timeout 10 qemu-system-x86_64 -M q35 -accel kvm -nodefaults -display none \
		-device isa-debug-exit,iobase=0xf4,iosize=1 \
		-drive "if=ide,format=raw,file=$disk" >/dev/null 2>&1 </dev/null || code=$?
	rm -f "$disk"
	[ "$code" = 33 ]
}

# The answer is kept for as long as the machine is up.
qemu_accel() {
	local kept
	kept=$TARGET/log/accel-$(tr -d - </proc/sys/kernel/random/boot_id)
	if [ ! -s "$kept" ]; then
		mkdir -p "$TARGET/log"
		if kvm_works; then
			printf '%s\n' '-accel kvm -cpu host' >"$kept"
		else
			printf '%s\n' '-accel tcg,thread=multi -cpu qemu64' >"$kept"
		fi
	fi
	cat "$kept"
}

# Two fresh copy-on-write disks over the cached ones.
machine_disks() {
	local suite=$1 run=$2 disk
	for disk in root var; do
		qemu-img create -q -f qcow2 -F raw -b "$GUEST_CACHE/$suite/$disk.raw" "$run/$disk.qcow2"
	done
}

# QEMU_DISKS=nbd: the disks are served on sockets, by tools/lib/powercut.py, and flushes are passed on.
disk_options() {
	if [ "${QEMU_DISKS:-}" = nbd ]; then
		printf 'format=raw,cache=writeback,file=nbd+unix:///?socket=%s/%s.sock\n' "$1" "$2"
	else
		printf 'format=qcow2,cache=unsafe,file=%s/%s.qcow2\n' "$1" "$2"
	fi
}

# Modules udev would load for hardware nobody uses here.
QEMU_UNUSED=ahci,kvm_amd,kvm,i2c_i801,lpc_ich,iTCO_wdt,psmouse,powernow_k8

# Prints the arguments of QEMU one a line, all but where the console and the report port lead.
qemu_arguments() {
	local suite=$1 run=$2 append=$3
	qemu_accel | tr ' ' '\n'
	printf '%s\n' -M q35 -smp "$QEMU_CPUS" -m "$QEMU_MEMORY" -nic none -nodefaults -no-user-config -display none \
		-no-reboot -kernel "$GUEST_CACHE/$suite/vmlinuz" -initrd "$GUEST_CACHE/$suite/initrd" \
		-append "root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.getty_auto=0 mitigations=off tsc=reliable ${VENEER_APPEND:-} modprobe.blacklist=$QEMU_UNUSED $append" \
		-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng \
		-device virtio-serial-pci -device virtserialport,chardev=report,name=veneer-test
	local disk
	for disk in root var; do printf '%s\n' -drive "if=virtio,$(disk_options "$run" "$disk")"; done
	printf '%s\n' -drive "if=virtio,format=raw,readonly=on,file=$run/payload" \
		-drive "if=virtio,format=raw,readonly=on,file=$IMAGES_DISK"
}

# start_machine SUITE RUN APPEND: the report is read from the fifo RUN/report, the console is in RUN/console.
start_machine() {
	local run=$2 arguments
	mapfile -t arguments < <(qemu_arguments "$@")
	[ -p "$run/report" ] || mkfifo "$run/report"
	qemu-system-x86_64 "${arguments[@]}" -chardev "file,id=report,path=$run/report" \
		-serial "file:$run/console" -monitor none </dev/null >"$run/machine.log" 2>&1 &
	MACHINE_PID=$!
}

stop_machine() {
	[ -n "$MACHINE_PID" ] || return 0
	kill "$MACHINE_PID" 2>/dev/null || :
	wait "$MACHINE_PID" 2>/dev/null || :
	MACHINE_PID=
}
