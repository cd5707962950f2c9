//! The place of a session: made for it if there may be one more, and given back.
//! It copies nothing; what is in the place is removed before, by `remove`.
//! Places are made and given back under one lock (flock(2) on the directory of all), so that limits hold and no
//! directory of an app goes while another session is just coming into it.

use super::data::{self, PRIVATE};
use crate::app::Limits;
use crate::host::files::{link, make_directory};
use crate::layout::SESSIONS;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;
use crate::session::SessionPaths;
use crate::session::paths::{data_of, data_of_app};
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

/// The lock over all places, for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _directory: OwnedFd,
}

/// Waits for the lock.
pub fn lock() -> Result<Lock> {
    make_directory("/run/veneer", 0o755)?;
    make_directory(SESSIONS, PRIVATE)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(SESSIONS, flags, Mode::empty()).with_context(|| format!("opening {SESSIONS}"))?;
    rustix::fs::flock(&directory, FlockOperation::LockExclusive).with_context(|| format!("locking {SESSIONS}"))?;
    Ok(Lock { _directory: directory })
}

/// Makes the place of a session and of its data, empty; what an earlier one of the name has left must be gone.
pub fn claim(id: &AppId, name: &SessionName, directory: &AbsPath, limits: Limits) -> Result<()> {
    let paths = SessionPaths::new(id, name);
    let _lock = lock()?;
    if std::fs::exists(&paths.dir).with_context(|| format!("looking for {}", paths.dir))? {
        return Err(Fault::failure("there is a session of this name already").into());
    }
    make_directory(&paths.app, PRIVATE)?;
    let made = within(id, limits).and_then(|()| make(&paths, directory, id, name));
    if made.is_err() {
        // What is not empty has others in it.
        for empty in [&paths.dir, &paths.app, &data_of_app(directory, id)] {
            drop(std::fs::remove_dir(empty));
        }
    }
    made
}

fn make(paths: &SessionPaths, directory: &AbsPath, id: &AppId, name: &SessionName) -> Result<()> {
    data::clear(directory, id, name)?;
    make_directory(&paths.dir, PRIVATE)?;
    // First of all: who removes the session finds its data by this.
    let data = data_of(directory, id, name);
    link(&paths.data(), &data)?;
    data::make(&data, paths).inspect_err(|_| {
        // Nothing of it is there, or it is empty; the first error is the one to tell.
        drop(std::fs::remove_dir(&data));
        drop(std::fs::remove_file(paths.data()));
    })
}

fn within(id: &AppId, limits: Limits) -> Result<()> {
    let own = count(&format!("{SESSIONS}/{id}"))?;
    if own >= limits.per_app {
        return Err(Fault::failure(format!("there are {own} sessions of {id}, as many as there may be")).into());
    }
    let mut all = 0;
    for app in crate::host::files::names_in(SESSIONS)? {
        all += count(&format!("{SESSIONS}/{app}"))?;
    }
    if all >= limits.in_all {
        return Err(Fault::failure(format!("there are {all} sessions of all apps, as many as there may be")).into());
    }
    Ok(())
}

/// How many directories are in one. `/run` is a tmpfs, where a directory has a link for each, and two of its own.
fn count(directory: &str) -> Result<u32> {
    match std::fs::symlink_metadata(directory) {
        Ok(found) if found.is_dir() => Ok(u32::try_from(found.nlink()).unwrap_or(u32::MAX).saturating_sub(2)),
        Ok(_) => Ok(0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error).with_context(|| format!("looking at {directory}")),
    }
}

/// Gives the place back, which must be empty; the directories of the app go with its last session.
pub fn give_back(paths: &SessionPaths, data_of_app: Option<&str>, _lock: &Lock) -> Result<()> {
    crate::host::files::remove_directory(&paths.dir)?;
    for directory in [Some(paths.app.as_str()), data_of_app].into_iter().flatten() {
        match std::fs::remove_dir(directory) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {}
            Err(error) => return Err(error).with_context(|| format!("removing the directory {directory}")),
        }
    }
    Ok(())
}
