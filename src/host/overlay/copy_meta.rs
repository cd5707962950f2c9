//! What an inode has besides its bytes: owner, mode, times, extended attributes, copied from one to another.
//! It copies no bytes and makes nothing.
//! The order matters: a change of owner drops capabilities and set-id bits (chown(2)), any write changes the times.

use anyhow::Result;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{self as rfs, AtFlags, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

/// What becomes of overlayfs's own marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// They are left out: a source is no layer, whatever it says.
    Dropped,
    /// They are copied: the tree is an upper layer.
    Kept,
}

/// Longest list of names of attributes, and longest value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const XATTRS: usize = 64 << 10;
/// Attributes of overlayfs; an upper layer's origin names inodes that a copy does not have.
const OVERLAY: &[u8] = b"trusted.overlay.";
const ORIGIN: &[u8] = b"trusted.overlay.origin";

/// Extended attributes, by name.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// The attributes of an open inode, be it opened with `O_PATH` or not.
pub fn xattrs(inode: BorrowedFd<'_>, marks: Marks) -> Result<Xattrs, Errno> {
    let path = through_proc(inode);
    match rfs::listxattr_query(&path) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(errno) => return Err(errno),
    }
    let mut names = vec![0u8; XATTRS];
    let length = rfs::listxattr(&path, names.as_mut_slice())?;
    let mut value = vec![0u8; XATTRS];
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let left_out = name.starts_with(OVERLAY) && (marks == Marks::Dropped || name == ORIGIN);
        if left_out {
            continue;
        }
        match rfs::getxattr(&path, name, value.as_mut_slice()) {
            Ok(length) => found.push((name.to_vec(), value[..length].to_vec())),
            Err(Errno::NODATA) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(found)
}

/// Gives an open inode owner, attributes, mode and times of another; how many attributes its file system does not take.
pub fn give(to: BorrowedFd<'_>, stat: &Stat, xattrs: &Xattrs) -> Result<u64, Errno> {
    let path = through_proc(to);
    rfs::chown(&path, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    let mut lost = 0;
    for (name, value) in xattrs {
        match rfs::setxattr(&path, name.as_slice(), value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP) => lost += 1,
            Err(errno) => return Err(errno),
        }
    }
    rfs::chmod(&path, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    rfs::utimensat(rfs::CWD, &path, &times(stat), AtFlags::empty())?;
    Ok(lost)
}

/// The same for a link, which has no mode and cannot be opened.
pub fn give_link(directory: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rfs::chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    rfs::utimensat(directory, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: i64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps {
        last_access: time(stat.st_atime, i64::try_from(stat.st_atime_nsec).unwrap_or_default()),
        last_modification: time(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default()),
    }
}

/// Works for inodes that may not be opened for reading, too (proc(5), "/proc/pid/fd").
fn through_proc(inode: impl AsFd) -> String {
    format!("/proc/self/fd/{}", inode.as_fd().as_raw_fd())
}
