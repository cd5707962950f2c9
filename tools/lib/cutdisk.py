"""A disk that forgets what was not synced: an NBD server over a unix socket, and the power cut.

It knows nothing of guests or QEMU's command line, and of NBD only what QEMU's client asks for.
Protocol: the NBD project's doc/proto.md, fixed newstyle negotiation, simple replies, no FUA (so that
QEMU turns a FUA write into a write and a flush).
"""

import os
import random
import socket
import struct
import threading

NBDMAGIC, IHAVEOPT, REPLYMAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x3E889045565A9
OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
REP_ACK, REP_INFO, REP_ERR_UNSUP = 1, 3, 0x80000001
HAS_FLAGS, SEND_FLUSH = 1, 4
CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH = 0, 1, 2, 3
REQUEST_MAGIC, SIMPLE_REPLY_MAGIC = 0x25609513, 0x67446698
EINVAL = 22
PIECE = 4096


class CutDisk:
    """A raw file, with the writes since the last flush remembered so that they can be undone."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.lock = threading.Lock()
        self.pending = []
        self.powered = True

    def read(self, offset, length):
        return os.pread(self.file, length, offset).ljust(length, b"\0")

    def write(self, offset, data):
        with self.lock:
            if not self.powered:
                return
            self.pending.append((offset, self.read(offset, len(data)), data))
            os.pwrite(self.file, data, offset)

    def flush(self):
        with self.lock:
            if self.powered:
                self.pending = []

    def power_off(self):
        """From here on nothing is written any more, whatever QEMU still sends."""
        with self.lock:
            self.powered = False

    def cut(self, chance):
        """Undoes what was not flushed, then redoes each piece of it with the chance given."""
        pieces = [
            (offset + at, data[at : at + PIECE])
            for offset, _, data in self.pending
            for at in range(0, len(data), PIECE)
        ]
        for offset, old, _ in reversed(self.pending):
            os.pwrite(self.file, old, offset)
        kept = [piece for piece in pieces if random.random() < chance]
        for offset, data in kept:
            os.pwrite(self.file, data, offset)
        self.pending = []
        self.powered = True
        return len(kept), len(pieces)


class Gone(Exception):
    """The client closed its end."""


def receive(connection, length):
    data = bytearray()
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise Gone
        data += part
    return bytes(data)


def option_reply(connection, option, kind, data=b""):
    connection.sendall(struct.pack(">QIII", REPLYMAGIC, option, kind, len(data)) + data)


def negotiate(connection, disk):
    """Until the client goes over to transmission."""
    flags = HAS_FLAGS | SEND_FLUSH
    connection.sendall(NBDMAGIC + IHAVEOPT + struct.pack(">H", 3))
    no_zeroes = struct.unpack(">I", receive(connection, 4))[0] & 2
    while True:
        _, option, length = struct.unpack(">8sII", receive(connection, 16))
        receive(connection, length)
        if option == OPT_EXPORT_NAME:
            connection.sendall(struct.pack(">QH", disk.size, flags) + (b"" if no_zeroes else bytes(124)))
            return
        if option in (OPT_INFO, OPT_GO):
            option_reply(connection, option, REP_INFO, struct.pack(">HQH", 0, disk.size, flags))
            option_reply(connection, option, REP_ACK)
            if option == OPT_GO:
                return
        elif option == OPT_ABORT:
            option_reply(connection, option, REP_ACK)
            raise Gone
        else:
            option_reply(connection, option, REP_ERR_UNSUP)


def transmit(connection, disk):
    """Answers requests one after another, so that the order of writes and flushes is the order told."""
    while True:
        _, _, kind, handle, offset, length = struct.unpack(">IHHQQI", receive(connection, 28))
        error, data = 0, b""
        if kind == CMD_READ:
            data = disk.read(offset, length)
        elif kind == CMD_WRITE:
            disk.write(offset, receive(connection, length))
        elif kind == CMD_FLUSH:
            disk.flush()
        elif kind == CMD_DISC:
            raise Gone
        else:
            error = EINVAL
        connection.sendall(struct.pack(">IIQ", SIMPLE_REPLY_MAGIC, error, handle) + data)


def attend(connection, disk):
    with connection:
        try:
            negotiate(connection, disk)
            transmit(connection, disk)
        except (Gone, ConnectionError):
            pass


def serve(disk, path):
    """Serves the disk on a socket at the path, in threads of its own, until the process ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=attend, args=(connection, disk), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
