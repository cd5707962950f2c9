//! `veneer-clone reap`: what is left of sessions that a crash or a power cut ended.
//! What goes and what stays is decided by `session::reap`; if anything cannot be looked at, nothing goes.
//! Below `/run/veneer/sessions` and below the directory of sessions all is ours; what has no name of ours is left alone.

use super::claim::{self, Lock};
use super::users::{Users, unit_is_up};
use super::{delete, remove};
use crate::host::files;
use crate::layout::SESSIONS;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;
use crate::session::paths::{data_of, data_of_app};
use crate::session::reap::{Fate, Found, classify, decide};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What would become of everything that lies in these directories of sessions.
pub fn plan(directories: &[AbsPath]) -> Result<Vec<Fate>> {
    let places: Vec<String> =
        [SESSIONS.to_owned()].into_iter().chain(directories.iter().map(ToString::to_string)).collect();
    let mut found = BTreeSet::new();
    for place in &places {
        found.extend(look(place)?);
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

fn look(place: &str) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for app in files::names_in(place)? {
        let directory = format!("{place}/{app}");
        if !is_directory(&directory)? {
            found.push(Found::Strange(directory));
            continue;
        }
        for name in files::names_in(&directory)? {
            found.push(match is_directory(&format!("{directory}/{name}"))? {
                true => classify(place, &app, &name),
                false => Found::Strange(format!("{directory}/{name}")),
            });
        }
    }
    Ok(found)
}

fn is_directory(path: &str) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_dir()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
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
    delete::delete(&data_of(directory, id, name))?;
    match std::fs::remove_dir(data_of_app(directory, id)) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {}", data_of_app(directory, id))),
    }
}
