//! Where sessions are kept, and what a copy costs there: for `veneer doctor`.
//! It tries with files that have no names, so it leaves nothing behind; it makes no session and no directory.
//! Sources: statfs(2), ioctl_ficlone(2); the numbers of file systems are those of linux/magic.h.

use super::copy_file::can_share;
use super::sharing::shares_with;
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// File systems that sessions are likely to be on.
const KNOWN: [(i128, &str); 7] = [
    (0xef53, "ext4"),
    (0x5846_5342, "XFS"),
    (0x9123_683e, "Btrfs"),
    (0x0102_1994, "tmpfs"),
    (0x794c_7630, "overlayfs"),
    (0x2fc1_2fc1, "ZFS"),
    (0xca45_1a4e, "bcachefs"),
];
/// `st_blocks` counts in these (inode(7)).
const BLOCK: u64 = 512;

/// The directory of sessions, or the nearest above it that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// What its file system is called.
    pub file_system: String,
    /// Whether files there can share data.
    pub shares: Shares,
    device: u64,
    /// The directory that is there.
    at: String,
}

/// Whether files can share data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shares {
    /// They can.
    Yes,
    /// The file system cannot.
    No,
    /// It could not be tried, and why.
    Untried(String),
}

/// What sessions are copies of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original {
    /// Whether it is on the same file system as the sessions, where that shares data.
    pub beside: Beside,
    /// The room it takes.
    pub bytes: u64,
}

/// Where an original is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// On the file system of the sessions.
    Yes,
    /// On another.
    No,
}

/// Looks at a directory of sessions.
pub fn look(directory: &str) -> Result<Ground> {
    let (there, at) = open_nearest(directory)?;
    let act = || format!("looking at {directory}");
    let device = rustix::fs::fstat(&there).with_context(act)?.st_dev;
    let number = i128::from(rustix::fs::fstatfs(&there).with_context(act)?.f_type);
    let name = KNOWN.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned());
    let shares = match can_share(&there) {
        Ok(true) => Shares::Yes,
        Ok(false) => Shares::No,
        Err(error) => Shares::Untried(format!("{error:#}")),
    };
    let file_system = name.unwrap_or_else(|| format!("a file system of type {number:#x}"));
    Ok(Ground { file_system, shares, device, at })
}

impl Ground {
    /// One that nobody has looked at.
    #[cfg(test)]
    pub fn imagined(file_system: &str, shares: Shares) -> Self {
        Self { file_system: file_system.to_owned(), shares, device: 0, at: String::new() }
    }
}

/// What is copied for each session; none if it is not there.
pub fn original(ground: &Ground, path: &str) -> Result<Option<Original>> {
    let found = match rustix::fs::stat(path) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        found => found.with_context(|| format!("looking at {path}"))?,
    };
    // Who may not open what would be tried with is told what the numbers say.
    let tried = || open_nearest(&ground.at).and_then(|(there, _)| shares_with(there, path)).unwrap_or(false);
    let same = found.st_dev == ground.device || (ground.shares == Shares::Yes && tried());
    let beside = if same { Beside::Yes } else { Beside::No };
    Ok(Some(Original { beside, bytes: u64::try_from(found.st_blocks).unwrap_or_default() * BLOCK }))
}

fn open_nearest(path: &str) -> Result<(OwnedFd, String)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let above = path.match_indices('/').map(|(at, _)| &path[..at.max(1)]);
    for path in above.chain([path]).collect::<Vec<_>>().into_iter().rev() {
        match rustix::fs::open(path, flags, Mode::empty()) {
            // What nobody may open cannot be tried either; where it is can be told.
            Err(Errno::NOENT | Errno::ACCESS) => {}
            opened => return opened.map(|there| (there, path.to_owned())).with_context(|| format!("opening {path}")),
        }
    }
    rustix::fs::open("/", flags, Mode::empty()).map(|there| (there, "/".to_owned())).context("opening /")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_that_is_there_is_looked_at() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().display().to_string();
        let here = look(&path).expect("looked at");
        assert_eq!(look(&format!("{path}/not/there")).expect("looked at"), here);
        std::fs::write(dir.path().join("image"), [1; 8192]).expect("written");
        let seen = |path: &str| original(&here, path).expect("looked at").map(|found| found.beside);
        assert_eq!(seen(&format!("{path}/image")), Some(Beside::Yes));
        assert_eq!(seen(&format!("{path}/none")), None);
        assert_eq!(seen("/proc/self/status"), Some(Beside::No));
        assert!(
            original(&here, &format!("{path}/{}", "x".repeat(300))).is_err(),
            "what cannot be looked at is no answer"
        );
    }
}
