//! An image mounted by the kernel of this machine, and compared with the tree it was made from.

use super::model::{Model, Part, What, byte_at};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use veneer::image::tree::{Device, Directory, Entry, Meta, Special};

/// Whether this process may mount: then the kernel reads the images too, not the file systems' own tools alone.
pub fn may_mount() -> bool {
    let root = rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists();
    if !root {
        eprintln!("not root, or no loop devices: nothing is mounted");
    }
    root
}

/// Runs a program and gives what it said; it must succeed.
pub fn run(program: &str, arguments: &[&OsStr]) -> String {
    let output = Command::new(program)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} must be installed: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}", output.status);
    said
}

/// Unmounts. A process that another test starts has everything open for a moment that this one has: busy is no fault.
pub fn unmount(path: &Path) {
    run("umount", &[OsStr::new("--lazy"), path.as_os_str()]);
}

/// A mounted image; it is unmounted when dropped.
pub struct Mounted {
    at: tempfile::TempDir,
}

impl Mounted {
    pub fn new(kind: &str, image: &Path, options: &str) -> Self {
        let at = tempfile::tempdir().expect("temporary directory");
        let options = format!("loop,{options}");
        run(
            "mount",
            &[
                OsStr::new("-t"),
                OsStr::new(kind),
                OsStr::new("-o"),
                OsStr::new(&options),
                image.as_os_str(),
                at.path().as_os_str(),
            ],
        );
        Self { at }
    }

    pub fn path(&self) -> &Path {
        self.at.path()
    }

    /// Compares every file with the tree.
    pub fn compare(&self, model: &Model, ignored: &[&str]) {
        let mut comparison = Comparison { model, ignored, seen: HashMap::new() };
        comparison.directory(self.path(), &model.root);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let mut command = Command::new("umount");
        let status = command.env("PATH", "/usr/bin:/bin").arg("--lazy").arg(self.at.path()).status();
        assert!(status.expect("umount").success() || std::thread::panicking());
    }
}

struct Comparison<'a> {
    model: &'a Model,
    /// Names in the root that the file system itself brings.
    ignored: &'a [&'a str],
    /// The kernel's number of each inode.
    seen: HashMap<u32, u64>,
}

impl Comparison<'_> {
    fn directory(&mut self, path: &Path, directory: &Directory) {
        let found = std::fs::symlink_metadata(path).expect("stat");
        assert!(found.is_dir(), "{path:?}");
        compare_meta(path, &found, &directory.meta);
        let children = directory.entries.values().filter(|entry| matches!(entry, Entry::Directory(_))).count();
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).expect("list") {
            names.push(entry.expect("list").file_name());
        }
        let before = names.len();
        names.retain(|name| !self.ignored.iter().any(|ignored| OsStr::new(ignored) == name));
        assert_eq!(found.nlink() as usize, children + 2 + (before - names.len()), "{path:?} links");
        names.sort();
        let wanted: Vec<_> = directory.entries.keys().map(|name| OsStr::from_bytes(name).to_owned()).collect();
        assert_eq!(names, wanted, "{path:?}");
        self.ignored = &[];
        for (name, entry) in &directory.entries {
            let path = path.join(OsStr::from_bytes(name));
            match entry {
                Entry::Directory(below) => self.directory(&path, below),
                Entry::Inode(id) => self.inode(&path, id.0),
            }
        }
    }

    fn inode(&mut self, path: &Path, id: u32) {
        let found = std::fs::symlink_metadata(path).expect("stat");
        if let Some(number) = self.seen.insert(id, found.ino()) {
            assert_eq!(number, found.ino(), "{path:?} is a hard link");
            return;
        }
        let (meta, what) = &self.model.inodes[id as usize];
        compare_meta(path, &found, meta);
        assert_eq!(found.nlink() as usize, self.model.links(id), "{path:?} links");
        match what {
            What::File(parts) => compare_file(path, &found, parts),
            What::Special(special) => compare_special(path, &found, special),
        }
    }
}

fn compare_meta(path: &Path, found: &Metadata, meta: &Meta) {
    let Meta { mode, uid, gid, mtime, xattrs } = meta;
    let what = (found.mode() & 0o7777, found.uid(), found.gid(), found.mtime(), found.mtime_nsec());
    let wanted = (u32::from(mode.0), *uid, *gid, mtime.seconds, i64::from(mtime.nanoseconds));
    assert_eq!(what, wanted, "{path:?}");
    let mut names = vec![0; 65536];
    let size = rustix::fs::llistxattr(path, &mut names[..]).expect("list attributes");
    let mut listed: Vec<_> = names[..size].split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    listed.sort_unstable();
    let wanted: Vec<_> = xattrs.iter().map(|xattr| &*xattr.name).collect();
    assert_eq!(listed, wanted, "{path:?} attributes");
    for xattr in xattrs {
        let mut value = vec![0; 65536];
        let size = rustix::fs::lgetxattr(path, OsStr::from_bytes(&xattr.name), &mut value[..]).expect("attribute");
        assert!(value[..size] == *xattr.value, "{path:?} {:?}", OsStr::from_bytes(&xattr.name));
    }
}

/// Sizes up to which holes are read as well.
const SMALL: u64 = 16 << 20;

fn compare_file(path: &Path, found: &Metadata, parts: &[Part]) {
    assert!(found.is_file(), "{path:?}");
    assert_eq!(found.size(), parts.iter().map(|part| part.size()).sum::<u64>(), "{path:?} size");
    let file = File::open(path).expect("open");
    let mut at = 0;
    for part in parts {
        let end = at + part.size();
        let step = if matches!(part, Part::Hole(size) if *size > SMALL) { part.size() / 100 } else { 1 << 16 };
        for from in (at..end).step_by(step as usize) {
            let mut bytes = vec![0; (end - from).min(1 << 16) as usize];
            file.read_exact_at(&mut bytes, from).expect("read");
            let good = bytes.iter().zip(from..).all(|(byte, at)| match part {
                Part::Data(value, _) => *byte == byte_at(*value, at),
                Part::Hole(_) => *byte == 0,
            });
            assert!(good, "{path:?} from {from}: {parts:?}");
        }
        at = end;
    }
}

fn compare_special(path: &Path, found: &Metadata, special: &Special) {
    let number = Device { major: rustix::fs::major(found.rdev()), minor: rustix::fs::minor(found.rdev()) };
    let kind = found.file_type();
    match special {
        Special::Symlink(target) => {
            let said: PathBuf = std::fs::read_link(path).expect("link");
            assert!(said.as_os_str().as_bytes() == &**target, "{path:?}");
        }
        Special::Character(device) => assert!(kind.is_char_device() && number == *device, "{path:?}"),
        Special::Block(device) => assert!(kind.is_block_device() && number == *device, "{path:?}"),
        Special::Fifo => assert!(kind.is_fifo(), "{path:?}"),
        Special::Socket => assert!(kind.is_socket(), "{path:?}"),
    }
}
