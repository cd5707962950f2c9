//! Where the copy of a user's source is made before anything is decided: one directory per user, one copy at a time.
//! What root exports and imports is made in root's.
//! It is gone when its `Staging` is; what a killed process left goes with the next request, or with the next boot.
//! Nobody but root can look into it (tmpfiles.d/veneer.conf).

use crate::host::files;
use crate::layout::REQUESTS;
use crate::path::AbsPath;
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs;
use std::io::ErrorKind;

/// A user's place for a copy, locked.
#[derive(Debug)]
pub struct Staging {
    /// The directory.
    pub directory: OwnedFd,
    path: String,
    _lock: OwnedFd,
}

impl Staging {
    /// Waits until this user has no other request that copies, and clears what was left.
    pub fn of(uid: u32) -> Result<Self> {
        files::make_directory(REQUESTS, 0o700)?;
        let home = format!("{REQUESTS}/{uid}");
        files::make_directory(&home, 0o700)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::open(&home, flags, Mode::empty()).with_context(|| format!("opening {home}"))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).with_context(|| format!("locking {home}"))?;
        let path = format!("{home}/copy");
        clear(&path)?;
        files::make_directory(&path, 0o700)?;
        let directory = rustix::fs::open(&path, flags, Mode::empty()).with_context(|| format!("opening {path}"))?;
        Ok(Self { directory, path, _lock: lock })
    }

    /// Where something in it is.
    pub fn at(&self, name: &str) -> Result<AbsPath> {
        AbsPath::parse(&format!("{}/{name}", self.path)).map_err(anyhow::Error::msg)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed by this user's next request, which refuses if it cannot either.
        let _ = clear(&self.path);
    }
}

fn clear(path: &str) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing what was left in {path}"))
        }
        _ => Ok(()),
    }
}
