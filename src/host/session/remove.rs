//! `veneer-clone remove`: everything of a session goes, found from its name alone, however far its making had come.
//! It may run any number of times, also after it was killed; the session's directory goes last, so nothing is forgotten.
//! Of the data that is named there, only what `data` finds to be this session's is deleted. It touches no other session,
//! and asks nobody whether this one is in use: whoever calls it knows (its unit ends), or has looked (`reap`).

use super::claim::{self, Lock};
use super::data::{self, Holds};
use super::marks;
use crate::host::files::{remove_directory, remove_file};
use crate::host::mounts;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;
use crate::session::SessionPaths;
use crate::session::reap::Foreign;
use anyhow::{Context, Result};
use std::io::ErrorKind;

/// The paths that would go, with nothing done.
pub fn plan(id: &AppId, name: &SessionName) -> Result<Vec<String>> {
    let paths = SessionPaths::new(id, name);
    let mut going = Vec::new();
    if let Some(data) = data_of(&paths)? {
        going.extend((whose(id, name, &data)? != Whose::Others).then_some(data));
    }
    if std::fs::exists(&paths.dir).with_context(|| format!("looking for {}", paths.dir))? {
        going.push(paths.dir);
    }
    Ok(going)
}

/// Removes a session; false if there is none.
pub fn remove(id: &AppId, name: &SessionName) -> Result<bool> {
    let paths = SessionPaths::new(id, name);
    if !std::fs::exists(&paths.dir).with_context(|| format!("looking for {}", paths.dir))? {
        return Ok(false);
    }
    let data = empty(id, name, &paths)?;
    give_back(&paths, data.as_deref(), &claim::lock()?)?;
    Ok(true)
}

/// The same for one who has the lock.
pub fn remove_locked(id: &AppId, name: &SessionName, lock: &Lock) -> Result<()> {
    let paths = SessionPaths::new(id, name);
    if std::fs::exists(&paths.dir).with_context(|| format!("looking for {}", paths.dir))? {
        let data = empty(id, name, &paths)?;
        give_back(&paths, data.as_deref(), lock)?;
    }
    Ok(())
}

/// Takes everything out of a session's directory but the link to its data, which it gives back.
fn empty(id: &AppId, name: &SessionName, paths: &SessionPaths) -> Result<Option<String>> {
    // Lazily: whoever is still in it keeps what it sees, and nobody new gets in.
    mounts::take_off(&paths.root())?;
    let data = data_of(paths)?;
    if let Some(data) = &data {
        match whose(id, name, data)? {
            Whose::Ours(directory) => data::remove(&directory, id, name)?,
            Whose::Unmarked => data::remove_unmarked(data)?,
            Whose::Others => {}
        }
    }
    remove_file(&paths.mark())?;
    remove_file(&paths.disk())?;
    match std::fs::symlink_metadata(paths.root()) {
        Ok(found) if found.is_dir() => drop(remove_directory(&paths.root())?),
        Ok(_) => drop(remove_file(&paths.root())?),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("looking at {}", paths.root())),
    }
    Ok(data)
}

/// Whose the data is that a session's place names.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    /// The session's, in this directory of sessions.
    Ours(AbsPath),
    /// The session's, from before there were marks: its `session.json`, which is written last, says so.
    Unmarked,
    /// Not the session's: it is left alone.
    Others,
}

fn whose(id: &AppId, name: &SessionName, data: &str) -> Result<Whose> {
    let above = data.strip_suffix(&format!("/{id}/{name}")).and_then(|directory| AbsPath::parse(directory).ok());
    let Some(directory) = above else { return Ok(Whose::Others) };
    Ok(match data::look(&directory, id, name)? {
        Holds::Nothing | Holds::Empty | Holds::Ours(_) => Whose::Ours(directory),
        Holds::Foreign(Foreign::Unmarked) if marks::read(id, name).is_some_and(|mark| mark.data == data) => {
            Whose::Unmarked
        }
        Holds::Foreign(_) => Whose::Others,
    })
}

fn give_back(paths: &SessionPaths, data: Option<&str>, lock: &Lock) -> Result<()> {
    remove_file(&paths.data())?;
    let above = data.and_then(|data| data.rsplit_once('/')).map(|(above, _)| above);
    claim::give_back(paths, above, lock)
}

/// Where a session's data is, as the link says that was made before it.
fn data_of(paths: &SessionPaths) -> Result<Option<String>> {
    let link = paths.data();
    match std::fs::read_link(&link) {
        Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {link}")),
    }
}
