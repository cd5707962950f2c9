#!/usr/bin/python3
"""Everything below a directory, a line a name: type, mode, owner, size, device, link, time, attributes, bytes, hard links.

tree.py DIRECTORY [--without-root] prints it; two directories with the same lines are the same tree. A directory's size and
link count are its file system's business, and so is what overlayfs and SELinux keep for themselves. `lost+found` is ext4's.
"""

import hashlib
import os
import stat
import sys

FOREIGN = ("trusted.overlay.", "user.overlay.", "security.selinux")


def digest(path):
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()[:16]


def attributes(path):
    names = sorted(name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith(FOREIGN))
    return [f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}" for name in names]


def links(paths, root):
    """The first name of each inode, and how many there are: names count, for what overlayfs says of links is its layers'."""
    found = {}
    for path in sorted(paths):
        status = os.lstat(path)
        key = (status.st_dev, status.st_ino)
        first, names = found.get(key, (text(path, root), 0))
        found[key] = (first, names + 1)
    return found


def text(path, root):
    return repr(path[len(root):])[2:-1].replace(" ", "\\x20")


def line(path, shown, first):
    found = os.lstat(path)
    kind = stat.S_IFMT(found.st_mode)
    words = [shown, f"{found.st_mode:o}", f"{found.st_uid}:{found.st_gid}", str(found.st_mtime_ns)]
    if kind == stat.S_IFREG:
        words += [str(found.st_size), digest(path)]
    elif kind == stat.S_IFLNK:
        words += [os.fsencode(os.readlink(path)).hex()]
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        words += [f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"]
    first_name, names = first.get((found.st_dev, found.st_ino), (None, 1))
    if kind != stat.S_IFDIR and names > 1:
        words += ["= " + first_name]
    return " ".join(words + attributes(path))


def main():
    root, with_root = os.fsencode(sys.argv[1]), "--without-root" not in sys.argv[2:]
    ahead, paths = [root], []
    while ahead:
        directory = ahead.pop()
        for entry in os.scandir(directory):
            if directory == root and entry.name == b"lost+found":
                continue
            paths.append(entry.path)
            if entry.is_dir(follow_symlinks=False):
                ahead.append(entry.path)
    first = links(paths, root)
    if with_root:
        print(line(root, "/", first))
    for path in sorted(paths):
        print(line(path, text(path, root), first))


main()
