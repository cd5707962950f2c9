//! A whole tree copied: every inode with what it has, data shared where the file system can.
//! It stays in one mount, as the app's own view of its directory does: what is mounted inside is an empty directory.
//! Nothing is followed and nothing is opened by a path that could change meanwhile; order and times are the original's
//! (inode(7), xattr(7), utimensat(2)). Signs of overlayfs (`trusted.overlay.*`) are no content and stay behind.

use super::copy_file::{self, Copied};
use crate::app::Reflink;
use crate::session::Method;
use anyhow::{Context, Result, bail};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    self as rfs, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;

/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX` (xattr(7)).
const XATTRS: usize = 64 << 10;
/// Attributes that belong to a mounted overlay.
const OVERLAYS_OWN: &[u8] = b"trusted.overlay.";

/// Copies what is in a directory into an empty one; `reached` hears the number of inodes now and then.
pub fn copy(from: OwnedFd, to: OwnedFd, reflink: Reflink, reached: impl FnMut(u64)) -> Result<Copied> {
    let stat = rfs::fstat(&from).context("looking at the directory")?;
    let top = Level { names: names(&from)?, from, to, stat, path: Vec::new() };
    let mut tree = Tree {
        top: top.to.try_clone().context("keeping the directory")?,
        reflink,
        links: HashMap::new(),
        copied: None,
        inodes: 0,
        reached,
    };
    tree.run(top)?;
    let nothing = Copied { method: Method::Reflink, why: None };
    Ok(tree.copied.unwrap_or(nothing))
}

struct Tree<F> {
    top: OwnedFd,
    reflink: Reflink,
    /// The first copy of each inode that has several names, by its path below the top.
    links: HashMap<(u64, u64), Vec<u8>>,
    copied: Option<Copied>,
    inodes: u64,
    reached: F,
}

/// A directory whose names are being copied.
struct Level {
    from: OwnedFd,
    to: OwnedFd,
    stat: Stat,
    names: Vec<CString>,
    path: Vec<u8>,
}

impl<F: FnMut(u64)> Tree<F> {
    fn run(&mut self, top: Level) -> Result<()> {
        let mut levels = vec![top];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.names.pop() else {
                // Last, since each name made in it changes its times.
                let done = levels.pop();
                done.map_or(Ok(()), |done| finish(&done.from, &done.to, &done.stat))?;
                continue;
            };
            let path = joined(&level.path, &name);
            let shown = || format!("copying {}", String::from_utf8_lossy(&path));
            if let Some(inner) = self.inode(level, &name, &path).with_context(shown)? {
                levels.push(inner);
            }
            self.inodes += 1;
            if self.inodes % 256 == 0 {
                (self.reached)(self.inodes);
            }
        }
        Ok(())
    }

    /// Copies one inode; a directory comes back, to be filled.
    fn inode(&mut self, level: &Level, name: &CStr, path: &[u8]) -> Result<Option<Level>> {
        let stat = rfs::statat(&level.from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => directory(level, name, path, stat),
            _ if stat.st_nlink > 1 && self.is_link(level, name, path, &stat)? => Ok(None),
            FileType::RegularFile => self.file(level, name).map(|()| None),
            _ => special(level, name, &stat).map(|()| None),
        }
    }

    /// Whether it is another name of an inode that has been copied, which it is then in the copy as well.
    fn is_link(&mut self, level: &Level, name: &CStr, path: &[u8], stat: &Stat) -> Result<bool> {
        match self.links.entry((stat.st_dev, stat.st_ino)) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(path.to_vec());
                Ok(false)
            }
            std::collections::hash_map::Entry::Occupied(first) => {
                rfs::linkat(&self.top, first.get().as_slice(), &level.to, name, AtFlags::empty())?;
                Ok(true)
            }
        }
    }

    fn file(&mut self, level: &Level, name: &CStr) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let from = File::from(rfs::openat(&level.from, name, flags, Mode::empty())?);
        let stat = rfs::fstat(&from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            bail!("it was replaced while it was copied");
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = File::from(rfs::openat(&level.to, name, flags, Mode::from_raw_mode(0o600))?);
        let size = u64::try_from(stat.st_size)?;
        if size > 0 {
            let copied = copy_file::copy(&from, &to, size, self.reflink, |_| ())?;
            // The first that could not be shared says why.
            if self.copied.as_ref().is_none_or(|before| before.method == Method::Reflink) {
                self.copied = Some(copied);
            }
        }
        finish(&from, &to, &stat)
    }
}

fn joined(path: &[u8], name: &CStr) -> Vec<u8> {
    let mut joined = path.to_vec();
    if !joined.is_empty() {
        joined.push(b'/');
    }
    joined.extend_from_slice(name.to_bytes());
    joined
}

fn names(directory: &OwnedFd) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in rfs::Dir::read_from(directory).context("listing")? {
        let entry = entry.context("listing")?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn directory(level: &Level, name: &CStr, path: &[u8], stat: Stat) -> Result<Option<Level>> {
    rfs::mkdirat(&level.to, name, Mode::from_raw_mode(0o700))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let to = rfs::openat(&level.to, name, flags, Mode::empty())?;
    match rfs::openat2(&level.from, name, flags, Mode::empty(), ResolveFlags::NO_XDEV) {
        Ok(from) => Ok(Some(Level { names: names(&from)?, from, to, stat, path: path.to_vec() })),
        // A mount: what is below it is not what was meant.
        Err(Errno::XDEV) => {
            rfs::fchmod(&to, Mode::from_raw_mode(0o755))?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn special(level: &Level, name: &CStr, stat: &Stat) -> Result<()> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Symlink {
        let target = rfs::readlinkat(&level.from, name, Vec::new())?;
        rfs::symlinkat(target.as_c_str(), &level.to, name)?;
    } else {
        rfs::mknodat(&level.to, name, kind, Mode::from_raw_mode(0o600), stat.st_rdev)?;
    }
    let (uid, gid) = owner(stat);
    rfs::chownat(&level.to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if kind != FileType::Symlink {
        rfs::chmodat(&level.to, name, permissions(stat), AtFlags::empty())?;
    }
    let through = |directory: &OwnedFd| {
        let name = name.to_bytes();
        [format!("/proc/self/fd/{}/", directory.as_raw_fd()).as_bytes(), name].concat()
    };
    xattrs(&through(&level.from), &through(&level.to))?;
    rfs::utimensat(&level.to, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Gives an inode that is open what the original has: capabilities behind the owner, who would take them away.
fn finish(from: impl AsFd, to: impl AsFd, stat: &Stat) -> Result<()> {
    let (from, to) = (from.as_fd(), to.as_fd());
    let (uid, gid) = owner(stat);
    // What root makes is root's already, but for its group where the directory says so.
    rfs::fchown(to, Some(uid), Some(gid)).context("changing the owner")?;
    rfs::fchmod(to, permissions(stat)).context("changing the mode")?;
    open_xattrs(from, to).context("copying extended attributes")?;
    rfs::futimens(to, &times(stat)).context("setting the times")
}

fn owner(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

fn permissions(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o7777)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |tv_sec: i64, nsec: u64| Timespec { tv_sec, tv_nsec: i64::try_from(nsec).unwrap_or_default() };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// Most inodes have none.
fn open_xattrs(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    let mut few = [0; 1024];
    let mut many = Vec::new();
    let names = match rfs::flistxattr(from, &mut few[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        Ok(length) => &few[..length],
        Err(Errno::RANGE) => {
            many.resize(XATTRS, 0);
            let length = rfs::flistxattr(from, many.as_mut_slice())?;
            &many[..length]
        }
        Err(error) => return Err(error.into()),
    };
    let mut value = vec![0; XATTRS];
    for name in listed(names) {
        let length = rfs::fgetxattr(from, name, value.as_mut_slice())?;
        rfs::fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

/// The same of what is not open.
fn xattrs(from: &[u8], to: &[u8]) -> Result<()> {
    let mut names = vec![0; XATTRS];
    let length = match rfs::llistxattr(from, names.as_mut_slice()) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        length => length?,
    };
    let mut value = vec![0; XATTRS];
    for name in listed(&names[..length]) {
        let length = rfs::lgetxattr(from, name, value.as_mut_slice())?;
        rfs::lsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

fn listed(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    names.split(|byte| *byte == 0).filter(|name| !name.is_empty() && !name.starts_with(OVERLAYS_OWN))
}
