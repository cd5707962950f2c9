"""Cuts a guest's power at random moments, and checks what comes back.

Usage: powercut.py RUN-DIR CUTS SEED QEMU-ARGUMENT...   (RUN-DIR holds root.raw, var.raw and the fifo report)
The guest says on its report port: "@up" when all its apps run, "@has APP N" when an app starts and finds N
numbers in its file, "@synced APP N" after the fsync of number N. It does not build or choose anything.
"""

import os
import random
import subprocess
import sys
import threading
import time

from cutdisk import CutDisk, serve

UP_WITHIN = 300
# A boot without KVM takes twice that until the apps write.
BOOT_SPAN = 60.0
# Long enough for a pull and a conversion, and each act on an overlay, without KVM.
RUN_SPAN = 20.0
# What tests/vm/inside/powercut sets up, four apps and who writes into an overlay; each says at every start what it finds.
APPS = 5
SAID_WITHIN = 30


class Guest:
    """One boot: QEMU, and a thread that hears its report."""

    def __init__(self, arguments, run, books):
        self.run, self.books = run, books
        self.up = threading.Event()
        self.wrong = []
        self.said = set()
        console = f"{run}/console"
        if os.path.exists(console):
            os.unlink(console)
        with open(f"{run}/qemu.log", "wb") as log:
            self.qemu = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        # Time counts from when the machine is switched on, which is when QEMU opens its console.
        while self.alive() and not os.path.exists(console):
            time.sleep(0.05)
        self.begun = time.monotonic()

    def listen(self):
        with open(f"{self.run}/report", encoding="utf-8", errors="replace") as report:
            for line in report:
                self.heard(line.rstrip("\r\n"))

    def heard(self, line):
        word, *rest = line.split() or [""]
        if word == "@up":
            self.up.set()
        elif word == "@synced" and len(rest) == 2 and rest[1].isdigit():
            self.books[rest[0]] = int(rest[1])
        elif word == "@has" and len(rest) == 2 and rest[1].isdigit():
            self.said.add(rest[0])
            self.check(rest[0], int(rest[1]))
        elif word == "@broken" or word == "|":
            self.wrong.append(line)

    def check(self, app, found):
        if found < self.books.get(app, 0):
            self.wrong.append(f"{app} had synced {self.books[app]} numbers and has {found} of them")

    def alive(self):
        return self.qemu.poll() is None

    def kill(self):
        self.qemu.kill()
        self.qemu.wait()
        self.listener.join(5)


class Bench:
    """The two disks, the guest's command line, and what its apps have synced so far."""

    def __init__(self, run, arguments):
        self.run, self.arguments, self.books = run, arguments, {}
        self.disks = {name: CutDisk(f"{run}/{name}.raw") for name in ("root", "var")}
        for name, disk in self.disks.items():
            serve(disk, f"{run}/{name}.sock")

    def boot(self, append=""):
        arguments = list(self.arguments)
        arguments[arguments.index("-append") + 1] += append
        return Guest(arguments, self.run, self.books)

    def cut(self, guest):
        for disk in self.disks.values():
            disk.power_off()
        guest.kill()
        chance = random.choice((0.0, 0.25, 0.5, 0.75, 1.0))
        told = [f"{name} kept {'%d of %d' % disk.cut(chance)}" for name, disk in self.disks.items()]
        return ", ".join(told)

    def must_come_up(self, append=""):
        """Boots and waits; returns the guest, and what is wrong."""
        guest = self.boot(append)
        end = guest.begun + UP_WITHIN
        while guest.alive() and time.monotonic() < end and not guest.up.wait(0.2):
            if guest.wrong:
                break
        if not guest.up.is_set():
            guest.wrong.append("it did not come up with every app running")
            return guest
        end = time.monotonic() + SAID_WITHIN
        while guest.alive() and time.monotonic() < end and len(guest.said) < APPS:
            time.sleep(0.1)
        if len(guest.said) < APPS:
            guest.wrong.append(f"only {len(guest.said)} of {APPS} apps said what they found")
        return guest


def show(run, guest):
    for line in guest.wrong:
        print(f"  | {line}", flush=True)
    for name in ("qemu.log", "console"):
        if not os.path.exists(f"{run}/{name}"):
            continue
        with open(f"{run}/{name}", encoding="utf-8", errors="replace") as text:
            for line in text.read().splitlines()[-30:]:
                print(f"  | {line}", flush=True)


def one_cut(bench, number):
    """A cut during boot, the boot after it, and a cut while the apps write. True if all came back."""
    moment = random.uniform(0.5, BOOT_SPAN)
    victim = bench.boot()
    while victim.alive() and time.monotonic() < victim.begun + moment:
        time.sleep(0.05)
    told = bench.cut(victim)
    print(f"cut {number}: after {moment:.1f} s, {told}", flush=True)
    guest = bench.must_come_up()
    took = time.monotonic() - guest.begun
    if not guest.wrong:
        time.sleep(random.uniform(0.0, RUN_SPAN))
    wrong = guest.wrong + victim.wrong
    told = bench.cut(guest)
    if wrong:
        show(bench.run, guest)
        return False
    synced = sum(bench.books.values())
    print(f"  up again in {took:.1f} s; {len(bench.books)} apps, {synced} numbers; cut: {told}", flush=True)
    return True


def main():
    run, cuts, seed, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    random.seed(seed)
    bench = Bench(run, arguments)
    guest = bench.must_come_up(" veneer-test.payload")
    if guest.wrong:
        guest.kill()
        show(run, guest)
        return 1
    print(f"set up in {time.monotonic() - guest.begun:.1f} s", flush=True)
    time.sleep(RUN_SPAN)
    bench.cut(guest)
    failed = sum(not one_cut(bench, number) for number in range(1, cuts + 1))
    print(f"{cuts - failed} of {cuts} power cuts survived", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
