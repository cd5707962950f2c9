//! Reads the configuration directories, as fast as a generator at boot must be.
//! It decides nothing: which file counts is `config::ConfigText`'s, what a text means `config`'s.
//! One readdir per directory, one open and read per file, relative to the directory (openat(2)); no stat.

use crate::config::{Body, ConfigText, Dir, DropIns, File, Named};
use crate::layout::CONFIG_DIRS;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self as rfs, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::path::Path;

/// More than any app's file has; keeps a wrong link (`/dev/zero`) from filling the memory.
const FILE_MAX: usize = 256 << 10;
const SUFFIX: &str = ".toml";
const DROP_INS: &str = ".toml.d";

/// Reads everything below `root`; `/` on a running system. What cannot be read is a Problem in it.
pub fn read(root: &Path) -> ConfigText {
    ConfigText::from_dirs(read_dirs(root))
}

/// The same as it lies in the directories, the strongest last: also what does not count because a stronger one has it.
pub fn read_dirs(root: &Path) -> Vec<Dir> {
    CONFIG_DIRS.iter().map(|dir| read_dir(root, dir)).collect()
}

/// Reads one file that the user named; its path is shown as given.
pub fn read_file(path: &Path) -> File {
    let shown = path.to_string_lossy();
    let body = match rfs::open(path, FILE_FLAGS, Mode::empty()) {
        Ok(file) => read_open(&file, &mut Vec::new()),
        Err(errno) => Body::Unreadable(reason(errno)),
    };
    File { path: shown.into(), body }
}

/// NONBLOCK: a named pipe must not hang the boot; it reads as empty.
const FILE_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const DIR_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::DIRECTORY);

fn read_dir(root: &Path, dir: &str) -> Dir {
    let mut found = Dir::default();
    let below_root = root.join(dir.trim_start_matches('/'));
    let Some(fd) = open_dir(rfs::open(&below_root, DIR_FLAGS, Mode::empty()), dir, &mut found) else {
        return found;
    };
    let mut reader = Reader { buffer: Vec::with_capacity(16 << 10), found };
    reader.settings(&fd, dir);
    reader.templates(&fd, dir);
    (reader.found.apps, reader.found.drop_ins) = reader.with_drop_ins(&fd, dir, "apps.d");
    (reader.found.overlays, reader.found.overlay_drop_ins) = reader.with_drop_ins(&fd, dir, "overlays.d");
    reader.found
}

/// A directory that is missing is fine; any other failure is kept as a reason.
fn open_dir(opened: Result<OwnedFd, Errno>, path: &str, found: &mut Dir) -> Option<OwnedFd> {
    match opened {
        Ok(fd) => Some(fd),
        Err(Errno::NOENT) => None,
        Err(errno) => {
            found.unreadable.push((path.into(), reason(errno)));
            None
        }
    }
}

struct Reader {
    buffer: Vec<u8>,
    found: Dir,
}

impl Reader {
    fn settings(&mut self, dir: &OwnedFd, path: &str) {
        self.found.settings = self.file(dir.as_fd(), c"veneer.toml", format!("{path}/veneer.toml"), FileType::Unknown);
        self.found.settings_drop_ins = self.files(dir.as_fd(), "veneer.toml.d", path).0;
    }

    fn templates(&mut self, dir: &OwnedFd, path: &str) {
        self.found.templates = self.files(dir.as_fd(), "templates.d", path).0;
    }

    fn with_drop_ins(&mut self, dir: &OwnedFd, path: &str, name: &str) -> (Vec<Named>, Vec<DropIns>) {
        let (files, drop_in_dirs) = self.files(dir.as_fd(), name, path);
        let mut drop_ins = Vec::with_capacity(drop_in_dirs.len());
        for of in drop_in_dirs {
            let below = format!("{name}/{of}{DROP_INS}");
            let (files, _) = self.files(dir.as_fd(), &below, path);
            drop_ins.push(DropIns { path: format!("{path}/{below}").into(), app: of, files });
        }
        (files, drop_ins)
    }

    /// The files of a directory that end in `.toml`, and the names of those with drop-ins.
    fn files(&mut self, parent: BorrowedFd<'_>, name: &str, parent_path: &str) -> (Vec<Named>, Vec<Box<str>>) {
        let (mut files, mut drop_ins) = (Vec::new(), Vec::new());
        let path = format!("{parent_path}/{name}");
        let opened = rfs::openat(parent, name, DIR_FLAGS, Mode::empty());
        let Some(dir) = open_dir(opened, &path, &mut self.found) else {
            return (files, drop_ins);
        };
        for (raw, kind) in self.names(&dir, &path) {
            let name = raw.to_string_lossy();
            if let Some(stem) = name.strip_suffix(SUFFIX) {
                let file = self.file(dir.as_fd(), &raw, format!("{path}/{name}"), kind);
                files.extend(file.map(|file| (stem.into(), file)));
            } else if let Some(stem) = name.strip_suffix(DROP_INS).filter(|_| may_be_directory(kind)) {
                drop_ins.push(stem.into());
            }
        }
        (files, drop_ins)
    }

    /// What a directory lists, without hidden files; the first error ends the list and is kept.
    fn names(&mut self, dir: &OwnedFd, path: &str) -> Vec<(CString, FileType)> {
        let mut names = Vec::new();
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut entries = rfs::RawDir::new(dir, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if entry.file_name().to_bytes().starts_with(b".") => {}
                Ok(entry) => names.push((entry.file_name().to_owned(), entry.file_type())),
                Err(errno) => {
                    self.found.unreadable.push((path.into(), reason(errno)));
                    break;
                }
            }
        }
        names
    }

    /// Reads a file; `None` if there is none (any more).
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr, path: String, kind: FileType) -> Option<File> {
        let body = match rfs::openat(dir, name, FILE_FLAGS, Mode::empty()) {
            Ok(file) => read_open(&file, &mut self.buffer),
            Err(Errno::NOENT) if kind == FileType::Symlink => {
                Body::Unreadable("the symbolic link leads nowhere".into())
            }
            Err(Errno::NOENT) => return None,
            Err(errno) => Body::Unreadable(reason(errno)),
        };
        Some(File { path: path.into(), body })
    }
}

fn may_be_directory(kind: FileType) -> bool {
    matches!(kind, FileType::Directory | FileType::Symlink | FileType::Unknown)
}

fn read_open(file: &OwnedFd, buffer: &mut Vec<u8>) -> Body {
    buffer.clear();
    loop {
        buffer.reserve(8 << 10);
        match rustix::io::read(file, rustix::buffer::spare_capacity(buffer)) {
            Ok(0) => break,
            Ok(_) if buffer.len() > FILE_MAX => {
                return Body::Unreadable(format!("the file is larger than {FILE_MAX} bytes"));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Body::Unreadable(reason(errno)),
        }
    }
    match std::str::from_utf8(buffer) {
        Ok(text) => Body::Text(text.into()),
        Err(error) => {
            Body::Unreadable(format!("the file is not UTF-8 text: byte {} is wrong", error.valid_up_to() + 1))
        }
    }
}

fn reason(errno: Errno) -> String {
    match errno {
        Errno::ISDIR => "this is a directory, not a file".into(),
        Errno::NOTDIR => "this is not a directory".into(),
        Errno::LOOP => "the symbolic link goes round in circles".into(),
        Errno::NOENT => "there is no such file".into(),
        Errno::ACCESS => "cannot be read: permission denied".into(),
        _ => format!("cannot be read: {}", std::io::Error::from(errno)),
    }
}
