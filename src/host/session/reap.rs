//! `veneer-clone reap`: what is left of sessions that a crash or a power cut ended.
//! What goes and what stays is decided by `session::reap`; if anything cannot be looked at, nothing goes.
//! Below `/run/veneer/sessions` all is ours. In a directory that `veneer.toml` names may be anything: only what `data` finds
//! marked is a session's, and everything else is left alone and said, with the reason.

use super::claim::{self, Lock};
use super::data::{self, Holds};
use super::remove;
use super::users::{Users, unit_is_up};
use crate::host::files;
use crate::layout::SESSIONS;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;
use crate::session::paths::data_of_app;
use crate::session::reap::{Fate, Foreign, Found, classify, decide};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// What would become of everything that lies in these directories of sessions.
pub fn plan(directories: &[AbsPath]) -> Result<Vec<Fate>> {
    let places: Vec<String> =
        [SESSIONS.to_owned()].into_iter().chain(directories.iter().map(ToString::to_string)).collect();
    let mut found: BTreeSet<Found> = look(SESSIONS, &|_| Ok(None))?.into_iter().collect();
    for directory in directories {
        found.extend(look(directory.as_str(), &|found| in_data(directory, found))?);
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let paths: Vec<PathBuf> = places.iter().map(PathBuf::from).collect();
    let users = Users::look(&paths)?;
    let used = |id: &AppId, name: &SessionName| {
        let own: Vec<PathBuf> = paths.iter().map(|place| place.join(id.as_str()).join(name.as_str())).collect();
        users.of(id, name, &own)
    };
    Ok(decide(found.into_iter().collect(), used))
}

/// What is in a directory of sessions; `objection` says of what has a session's names why it is none.
fn look(place: &str, objection: &dyn Fn(&Found) -> Result<Option<Foreign>>) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for app in files::names_in(place)? {
        let directory = format!("{place}/{app}");
        // Where nothing of ours can be in, nobody needs to look.
        let objects = if AppId::parse(&app).is_err() { Some(Foreign::Name) } else { standing(&directory)? };
        if let Some(why) = objects {
            found.push(Found::Strange(directory, why));
            continue;
        }
        for name in files::names_in(&directory)? {
            let path = format!("{directory}/{name}");
            let named = match standing(&path)? {
                None => classify(place, &app, &name),
                Some(why) => Found::Strange(path.clone(), why),
            };
            found.push(objection(&named)?.map_or(named, |why| Found::Strange(path, why)));
        }
    }
    Ok(found)
}

/// Why what has a session's names, in a directory of sessions' data, is not deleted.
fn in_data(directory: &AbsPath, found: &Found) -> Result<Option<Foreign>> {
    let Found::Session { id, name } = found else { return Ok(None) };
    Ok(match data::look(directory, id, name)? {
        // Gone meanwhile: there is nothing to delete.
        Holds::Ours(_) | Holds::Nothing => None,
        Holds::Empty => Some(Foreign::Unmarked),
        Holds::Foreign(why) => Some(why),
    })
}

/// What is no directory of root's is not ours.
fn standing(path: &str) -> Result<Option<Foreign>> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => Ok(Some(Foreign::NoDirectory)),
        Ok(found) if found.uid() != 0 => Ok(Some(Foreign::Owner(found.uid()))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(Foreign::NoDirectory)),
        Err(error) => Err(error).with_context(|| format!("looking at {path}")),
    }
}

/// Removes one session that nobody uses; false if somebody does by now.
pub fn remove(id: &AppId, name: &SessionName, directories: &[AbsPath]) -> Result<bool> {
    let lock = claim::lock()?;
    // A unit that starts now waits for the lock before it makes anything.
    if unit_is_up(id, name)? {
        return Ok(false);
    }
    remove::remove_locked(id, name, &lock)?;
    directories.iter().try_for_each(|directory| remove_data(id, name, directory, &lock))?;
    Ok(true)
}

fn remove_data(id: &AppId, name: &SessionName, directory: &AbsPath, _lock: &Lock) -> Result<()> {
    let Holds::Ours(_) = data::look(directory, id, name)? else { return Ok(()) };
    data::remove(directory, id, name)?;
    match std::fs::remove_dir(data_of_app(directory, id)) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {}", data_of_app(directory, id))),
    }
}
