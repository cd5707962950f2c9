#!/usr/bin/python3
"""Asks veneer-overlay-request.socket for what nobody should get, as the user who runs it. Prints a line per request.

Usage: hostile.py HOME TARGET THEIRS; ends with 1 if anything was granted, or refused for another reason than expected.
The scenario overlay-hostile.sh makes what the requests name. Only modules of python3-minimal are used.
"""
import os
import socket
import sys

PATH = "/run/veneer/io.veneer.Overlay"
HOME, TARGET, THEIRS = sys.argv[1:4]
OURS = "io.veneer.Overlay."
bad = 0
count = 0


def connect():
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(60)
    connection.connect(PATH)
    return connection


def answer(connection):
    data = b""
    while not data.endswith(b"\0"):
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return data.decode("utf-8", "replace") + " (closed)"
        data += piece
    return data[:-1].decode("utf-8", "replace")


def judge(what, got, wanted):
    global bad, count
    count += 1
    wrong = '"error":"' not in got or wanted not in got
    bad += wrong
    print(("WRONG " if wrong else "ok    ") + what + ": " + got[:300])


def send(what, message, wanted, fds=(), connection=None):
    """One message with descriptors, and its answer; over a connection of its own if none is given."""
    own = connection is None
    connection = connection or connect()
    if isinstance(message, str):
        message = message.encode() + b"\0"
    try:
        if fds:
            socket.send_fds(connection, [message], list(fds))
        else:
            connection.sendall(message)
    except (BrokenPipeError, ConnectionResetError):
        pass
    judge(what, answer(connection), wanted)
    if own:
        connection.close()


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\\u0000") + '"'


def apply_message(extra="", name="mine", target=None, source="0"):
    return (
        '{"method":"' + OURS + 'Apply","parameters":{"name":' + quoted(name) + ',"source":' + source
        + ',"target":' + quoted(target or TARGET) + extra + "}}"
    )


def directory(path, flags=os.O_RDONLY):
    return os.open(path, flags | os.O_NONBLOCK)


def messages():
    shared = connect()
    cases = [
        ("an empty message", "", "no call"),
        ("null", "null", "no call"),
        ("a list", "[]", "no call"),
        ("no method", "{}", "no call"),
        ("a number for a method", '{"method":1}', "no call"),
        ("a method twice", '{"method":"a.b","method":"c.d"}', "no call"),
        ("an unknown member", '{"method":"a.b","uid":0}', "no call"),
        ("text behind the object", '{"method":"a.b"} {}', "no call"),
        ("another protocol", '{"method":"' + OURS + 'List","upgrade":true}', "upgraded"),
        ("a list of parameters", '{"method":"' + OURS + 'List","parameters":[]}', "no call"),
        ("deep brackets", "[" * 60000, "no call"),
        ("a byte order mark", "\ufeff{}", "no call"),
        ("a cut string", '{"method":"' + OURS, "no call"),
        ("another interface", '{"method":"io.systemd.Manager.Reload"}', "InterfaceNotFound"),
        ("no interface", '{"method":"Apply"}', "InterfaceNotFound"),
        ("a method that is none", '{"method":"' + OURS + 'Commit"}', "MethodNotFound"),
        ("escapes in a method", '{"method":"' + OURS + '\\u001b[2J"}', "MethodNotFound"),
        ("a description of another", '{"method":"org.varlink.service.GetInterfaceDescription","parameters":'
         '{"interface":"../../etc/shadow"}}', "InterfaceNotFound"),
    ]
    for what, message, wanted in cases:
        send(what, message, wanted, connection=shared)
    send("bytes that are no text", b'{"method":"\xff\xfe"}\0', "no call", connection=shared)
    shared.close()
    send("a message without an end", b" " * 70000, "at most")
    connection = connect()
    connection.sendall(b'{"method":')
    connection.shutdown(socket.SHUT_WR)
    judge("half a message", answer(connection), "ended within")


def descriptors():
    here = directory(HOME)
    read, write = os.pipe()
    pair = socket.socketpair()
    sendings = [
        ("many descriptors", apply_message(), [here] * 9, "too many"),
        ("two descriptors", apply_message(), [here, here], "takes 1"),
        ("a descriptor for a list", '{"method":"' + OURS + 'List"}', [here], "takes 0"),
        ("no descriptor", apply_message(), [], "no file descriptor"),
        ("another's index", apply_message(source="1"), [here], "no file descriptor 1"),
        ("an enormous index", apply_message(source="18446744073709551615"), [here], "no file descriptor"),
        ("a negative index", apply_message(source="-1"), [here], "InvalidParameter"),
        ("a pipe", apply_message(), [read], "neither"),
        ("a socket", apply_message(), [pair[0].fileno()], "neither"),
        ("a device", apply_message(), [directory("/dev/null")], "neither"),
        ("a directory that is root's", apply_message(), [directory("/root", os.O_PATH)], "may not read"),
        ("a secret file", apply_message(target=TARGET + "/file"), [directory("/etc/shadow", os.O_PATH)], "may not read"),
        ("processes", apply_message(), [directory("/proc")], "file system of proc"),
        ("the kernel", apply_message(), [directory("/sys")], "Refused"),
        ("all of /etc", apply_message(), [directory("/etc")], "may not read"),
        ("all devices", apply_message(), [directory("/dev")], "Refused"),
    ]
    for what, message, fds, wanted in sendings:
        send(what, message, wanted, fds)


def words():
    here = directory(HOME + "/good")
    shared = connect()
    cases = [
        ("name ..", apply_message(name=".."), "not the name"),
        ("name with a slash", apply_message(name="a/b"), "not the name"),
        ("no name", apply_message(name=""), "not the name"),
        ("a long name", apply_message(name="a" * 65), "not the name"),
        ("name with a newline", apply_message(name="a\nb"), "not the name"),
        ("name like an option", apply_message(name="--force"), "not the name"),
        ("a number for a name", apply_message(extra=',"name":7'), "InvalidParameter"),
        ("root's name", apply_message(name="roots"), "NotYours"),
        ("another user's name", apply_message(name=THEIRS), "NotYours"),
        ("a relative target", apply_message(target="usr/share"), "not an absolute path"),
        ("target with ..", apply_message(target="/usr/share/../../etc"), ".."),
        ("target with a NUL", apply_message(target="/usr/share/\0x"), "control"),
        ("target /", apply_message(target="/"), "Refused"),
        ("target /usr", apply_message(target="/usr"), "critical"),
        ("target /etc", apply_message(target="/etc"), "critical"),
        ("target /etc/pam.d", apply_message(target="/etc/polkit-1"), "Refused"),
        ("systemd's directory", apply_message(target="/usr/lib/systemd/system"), "critical"),
        ("our own programs", apply_message(target="/usr/libexec/veneer"), "critical"),
        ("a process", apply_message(target="/proc/self"), "Refused"),
        ("our own state", apply_message(target="/run/veneer"), "Refused"),
        ("our own data", apply_message(target="/var/lib/veneer"), "Refused"),
        ("nowhere", apply_message(target=TARGET + "/nowhere"), "not there"),
        ("a directory of one's own", apply_message(target=HOME + "/good"), "no target for users"),
        ("a directory that anybody may change", apply_message(target="/tmp/veneer-hostile"), "no target for users"),
        ("a link of one's own to /etc", apply_message(target=HOME + "/to-etc"), "critical"),
        ("a link of one's own to our data", apply_message(target=HOME + "/to-ours"), "Refused"),
        ("a device for a target", apply_message(target="/dev/null"), "Refused"),
        ("a target that nobody allowed", apply_message(target=TARGET + "-other"), "NotAuthorized"),
        ("a target beside the allowed one", apply_message(target=TARGET + "/../" + TARGET[11:] + "-other"), ".."),
        ("a target below another's overlay", apply_message(target=TARGET + "-theirs/below"), "lies within"),
        ("another's target", apply_message(target=TARGET + "-theirs"), "lies over"),
        ("around another's target", apply_message(target=TARGET + "-around"), "Refused"),
        ("a target with a mount in it", apply_message(target=TARGET + "-mount"), "mounted below"),
        ("an owner", apply_message(extra=',"owner":0'), "InvalidParameter"),
        ("a forced target", apply_message(extra=',"forceTarget":"/etc"', target="/etc"), "InvalidParameter"),
        ("mount options", apply_message(extra=',"options":["metacopy=on"]'), "InvalidParameter"),
        ("a negative size", apply_message(extra=',"access":"writable","size":-1'), "InvalidParameter"),
        ("no size", apply_message(extra=',"access":"writable","size":0'), "InvalidParameter"),
        ("a fraction of a size", apply_message(extra=',"access":"writable","size":1.5'), "InvalidParameter"),
        ("an enormous size", apply_message(extra=',"access":"writable","size":18446744073709551615'), "LimitExceeded"),
        ("a size without writing", apply_message(extra=',"size":4096'), "InvalidParameter"),
        ("another access", apply_message(extra=',"access":"setuid"'), "InvalidParameter"),
        ("a description of two lines", apply_message(extra=',"description":"a\\nExecStart=/bin/sh"'), "one line"),
        ("a long description", apply_message(extra=',"description":' + quoted("x" * 5000)), "one line"),
        ("writing where reading was allowed", apply_message(extra=',"access":"writable","size":4194304'), "NotAuthorized"),
    ]
    for what, message, wanted in cases:
        send(what, message, wanted, [here], shared)
    shared.close()
    send("a directory over a file", apply_message(target=TARGET + "/file"), "Refused", [here])


def others():
    shared = connect()
    for name, wanted in [("roots", "NotYours"), (THEIRS, "NotYours"), ("nobodys", "NoSuchOverlay"), ("..", "not the name")]:
        for method in ["Reset", "Remove", "Diff"]:
            message = '{"method":"' + OURS + method + '","parameters":{"name":"' + name + '"}}'
            send(method + " of " + name, message, wanted, connection=shared)
    lazy = '{"method":"' + OURS + 'Remove","parameters":{"name":"' + THEIRS + '","lazy":true}}'
    send("lazy removal of another's", lazy, "NotYours", connection=shared)
    shared.close()


def sources():
    wanted = {
        "setuid": "set-id", "setgid": "set-id", "writable": "world-writable", "fifo": "device", "socket": "device",
        "capability": "capability", "absolute": "link", "climbing": "link", "through": "link", "secret": "may not read",
        "hardlink": "may not read", "closed": "may not read", "mounted": "else is mounted", "many": "more than",
        "large": "LimitExceeded", "sparse": "LimitExceeded", "deep": "levels deep", "notgroup": "may not read",
    }
    for name, said in wanted.items():
        # What the user cannot even open can still be named.
        flags = os.O_PATH if name == "closed" else os.O_RDONLY
        send("a source with " + name, apply_message(), said, [directory(HOME + "/bad/" + name, flags)])


for part in [messages, descriptors, words, others, sources]:
    part()
print(count, "requests,", bad, "not refused as they should be")
sys.exit(bad > 0)
