//! A directory as a layer: each name once, in order, with what its inode has.
//! It leaves nothing out and follows no link; what the signs of overlayfs mean is `layer::overlay`'s to say.
//! Sources: inode(7), xattr(7), open(2) on O_PATH; `/proc/self/fd` is how an inode is asked that may not be opened.

use super::file_content::FileContent;
use crate::image::tree::{Content, Device, Meta, Mode, Piece, Special, Time, Xattr};
use crate::layer::entry::{Entry, Kind, Layer, LayerReader};
use crate::layer::fault::{bad, within};
use crate::layer::overlay::{self, Sign};
use crate::layer::path::LayerPath;
use crate::layer::xattr;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{self as rfs, AtFlags, FileType, OFlags, Stat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Longest list of names of attributes, and longest value: `XATTR_LIST_MAX`, `XATTR_SIZE_MAX`.
const XATTRS: usize = 64 << 10;

/// Whether overlayfs's signs mean something in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// It is one of overlayfs's layers.
    Overlay,
    /// It is a directory like any other.
    Nothing,
}

/// A directory to be read as a layer.
#[derive(Debug)]
pub struct DirectoryLayer {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub signs: Signs,
}

impl Layer for DirectoryLayer {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn open(&self, _limit: u64) -> io::Result<Box<dyn LayerReader + '_>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rfs::open(&self.path, flags, rfs::Mode::empty())?;
        Ok(Box::new(DirectoryReader {
            signs: self.signs,
            next: Some((LayerPath::default(), root)),
            levels: Vec::new(),
            behind: None,
            names: HashMap::new(),
            content: None,
        }))
    }
}

/// A directory whose names are being read.
struct Level {
    path: LayerPath,
    directory: OwnedFd,
    /// The last comes first.
    names: Vec<Vec<u8>>,
}

struct DirectoryReader {
    signs: Signs,
    /// The root, before anything else.
    next: Option<(LayerPath, OwnedFd)>,
    levels: Vec<Level>,
    /// An entry that follows another about the same name.
    behind: Option<Entry>,
    /// The first name of each inode that has several.
    names: HashMap<(u64, u64), LayerPath>,
    content: Option<FileContent>,
}

impl LayerReader for DirectoryReader {
    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        if let Some(entry) = self.behind.take() {
            return Ok(Some(entry));
        }
        let Some((path, inode)) = self.next_inode()? else { return Ok(None) };
        self.entry(&path, inode).map(Some).map_err(|error| within(path.shown(), &error))
    }

    fn content(&mut self) -> &mut dyn Content {
        self
    }
}

impl Content for DirectoryReader {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        match &mut self.content {
            Some(content) => content.next_piece(),
            None => Ok(None),
        }
    }
}

impl DirectoryReader {
    fn next_inode(&mut self) -> io::Result<Option<(LayerPath, OwnedFd)>> {
        if let Some(root) = self.next.take() {
            return Ok(Some(root));
        }
        while let Some(level) = self.levels.last_mut() {
            if let Some(name) = level.names.pop() {
                let path = level.path.join(&name);
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let inode = rfs::openat(&level.directory, name.as_slice(), flags, rfs::Mode::empty());
                return inode
                    .map(|inode| Some((path.clone(), inode)))
                    .map_err(|errno| within(path.shown(), &errno.into()));
            }
            self.levels.pop();
        }
        Ok(None)
    }

    fn entry(&mut self, path: &LayerPath, inode: OwnedFd) -> io::Result<Entry> {
        let stat = rfs::fstat(&inode)?;
        let xattrs = xattrs(&inode)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let special = special(kind, &inode, &stat)?;
        let sign = match self.signs {
            Signs::Overlay => overlay::sign(&xattrs, special.as_ref())?,
            Signs::Nothing => Sign::Plain,
        };
        if sign == Sign::Whiteout {
            return Ok(Entry { path: path.clone(), kind: Kind::Whiteout });
        }
        let meta = meta(&stat, xattr::clean(xattrs)?);
        if kind == FileType::Directory {
            self.levels.push(level(path.clone(), inode)?);
            let directory = Entry { path: path.clone(), kind: Kind::Directory(meta) };
            if sign == Sign::Opaque {
                self.behind = Some(directory);
                return Ok(Entry { path: path.clone(), kind: Kind::Opaque });
            }
            return Ok(directory);
        }
        if stat.st_nlink > 1 {
            let first = self.names.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.clone());
            if first != path {
                return Ok(Entry { path: path.clone(), kind: Kind::HardLink(first.clone()) });
            }
        }
        let kind = match special {
            Some(special) => Kind::Special(meta, special),
            None => self.file(meta, &inode, &stat)?,
        };
        Ok(Entry { path: path.clone(), kind })
    }

    fn file(&mut self, meta: Meta, inode: &OwnedFd, stat: &Stat) -> io::Result<Kind> {
        let size = u64::try_from(stat.st_size).map_err(|_| bad("its size is negative"))?;
        self.content = None;
        if size > 0 {
            let file = File::open(through_proc(inode))?;
            self.content = Some(FileContent::new(file, size));
        }
        Ok(Kind::File(meta, size))
    }
}

fn level(path: LayerPath, inode: OwnedFd) -> io::Result<Level> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rfs::openat(&inode, ".", flags, rfs::Mode::empty())?;
    let mut names = Vec::new();
    for entry in rfs::Dir::read_from(&directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(name.as_slice(), b"." | b"..") {
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(Level { path, directory: inode, names })
}

fn special(kind: FileType, inode: &OwnedFd, stat: &Stat) -> io::Result<Option<Special>> {
    let device = || Device { major: rfs::major(stat.st_rdev), minor: rfs::minor(stat.st_rdev) };
    Ok(Some(match kind {
        FileType::RegularFile | FileType::Directory => return Ok(None),
        FileType::Symlink => Special::Symlink(rfs::readlinkat(inode, "", Vec::new())?.into_bytes().into()),
        FileType::CharacterDevice => Special::Character(device()),
        FileType::BlockDevice => Special::Block(device()),
        FileType::Fifo => Special::Fifo,
        FileType::Socket => Special::Socket,
        FileType::Unknown => return Err(bad("it is of an unknown type")),
    }))
}

fn meta(stat: &Stat, xattrs: Vec<Xattr>) -> Meta {
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    Meta {
        mode: Mode((stat.st_mode & 0o7777) as u16),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time { seconds: stat.st_mtime, nanoseconds },
        xattrs,
    }
}

/// Works for links, devices and files that may not be opened alike: proc(5), "/proc/pid/fd".
fn through_proc(inode: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", inode.as_raw_fd())
}

fn xattrs(inode: &OwnedFd) -> io::Result<Vec<Xattr>> {
    let path = through_proc(inode);
    // Most inodes have none.
    match rfs::listxattr_query(&path) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut names = vec![0u8; XATTRS];
    let length = rfs::listxattr(&path, names.as_mut_slice())?;
    let mut value = vec![0u8; XATTRS];
    let mut xattrs = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match rfs::getxattr(&path, name, value.as_mut_slice()) {
            Ok(length) => xattrs.push(xattr::new(name, &value[..length])),
            // Gone meanwhile.
            Err(Errno::NODATA) => {}
            Err(errno) => return Err(within(crate::layer::fault::shown(name), &errno.into())),
        }
    }
    Ok(xattrs)
}

/// Whether a path is a directory, links followed.
pub fn is_directory(path: &std::path::Path) -> bool {
    rfs::statat(rfs::CWD, path, AtFlags::empty())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn read(layer: &DirectoryLayer) -> Vec<(String, Kind)> {
        let mut reader = layer.open(0).expect("opened");
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry().expect("read") {
            entries.push((entry.path.shown(), entry.kind));
        }
        entries
    }

    #[test]
    fn names_come_in_order_and_hard_links_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("d")).expect("made");
        std::fs::write(at("d/b"), "12").expect("written");
        std::fs::set_permissions(at("d/b"), PermissionsExt::from_mode(0o4711)).expect("set");
        std::fs::hard_link(at("d/b"), at("a")).expect("linked");
        symlink("../x", at("d/l")).expect("linked");
        drop(std::os::unix::net::UnixListener::bind(at("s")).expect("bound"));
        let entries = read(&DirectoryLayer { path: dir.path().into(), signs: Signs::Nothing });
        let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["/", "/a", "/d", "/d/b", "/d/l", "/s"]);
        assert!(matches!(&entries[1].1, Kind::File(meta, 2) if meta.mode == Mode(0o4711)), "{:?}", entries[1]);
        assert!(matches!(&entries[3].1, Kind::HardLink(first) if first.as_bytes() == b"a"));
        assert!(matches!(&entries[4].1, Kind::Special(_, Special::Symlink(target)) if **target == *b"../x"));
        assert!(matches!(&entries[5].1, Kind::Special(_, Special::Socket)));
    }

    #[test]
    fn overlayfss_signs_are_read_where_they_are_signs() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("d")).expect("made");
        std::fs::write(at("w"), "").expect("written");
        let set =
            |name: &str, xattr: &str, value: &[u8]| rfs::setxattr(at(name), xattr, value, rfs::XattrFlags::empty());
        let marked = set("d", "user.overlay.opaque", b"y").and_then(|()| set("w", "user.overlay.whiteout", b"y"));
        if marked == Err(Errno::OPNOTSUPP) {
            return;
        }
        marked.expect("marked");
        let kinds = |signs| {
            read(&DirectoryLayer { path: dir.path().into(), signs })
                .into_iter()
                .map(|(_, kind)| kind)
                .collect::<Vec<_>>()
        };
        let overlay = kinds(Signs::Overlay);
        assert!(matches!(overlay[1..], [Kind::Opaque, Kind::Directory(_), Kind::Whiteout]), "{overlay:?}");
        let plain = kinds(Signs::Nothing);
        assert!(
            matches!(&plain[1..], [Kind::Directory(meta), Kind::File(_, 0)] if meta.xattrs.is_empty()),
            "{plain:?}"
        );
    }
}
