//! A prune from its command line to its end: asked, decided, shown, done, told.
//! What goes is decided by `store::prune`; what is in use, by `store::in_use`. Nothing goes if either could not be told for sure.
//! Rules: docs/store.md, "Prune"; exit codes are sysexits(3)'s, 75 for "not now".

use super::clock;
use super::store::roots::{self, Roots};
use super::store::{Hold, Reading, StoreDir, StoreLock, read, remove};
use super::systemctl::Systemctl;
use crate::layout::STORE;
use crate::store::in_use::InUse;
use crate::store::prune::{Now, Reach, decide};
use crate::store::spec::{Doing, NoneUsed, Spec, Wanted};
use crate::store::verdict::{Item, Verdict};
use anyhow::{Context, Result};
use rustix::io::Errno;
use std::path::Path;
use std::time::Duration;

/// How long others are waited for who read or make images.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a prune ended.
#[derive(Debug)]
pub enum Outcome {
    /// There is room: nothing was looked at.
    Room,
    /// Nothing was removed, for these reasons.
    Refused(Vec<String>),
    /// This is what would be done.
    Shown(Vec<Verdict>),
    /// This was done.
    Done(Box<Pruned>),
}

/// What a prune did.
#[derive(Debug)]
pub struct Pruned {
    /// What was decided.
    pub verdicts: Vec<Verdict>,
    /// What came of it.
    pub removed: remove::Removed,
    /// Bytes that came free.
    pub freed: u64,
}

/// Prunes. Says so once if others have the store.
pub fn run(spec: &Spec, waiting: impl FnOnce()) -> Result<Outcome> {
    let systemd = if spec.root == Path::new("/") { Systemctl::running() } else { None };
    run_with(spec, || roots::units(systemd).context("asking systemd for its units"), waiting)
}

/// The same with what `systemctl show` prints from elsewhere.
pub fn run_with(spec: &Spec, units: impl FnOnce() -> Result<String>, waiting: impl FnOnce()) -> Result<Outcome> {
    let store = StoreDir::below(&spec.root);
    if !store.is_there() || spec.wanted == Wanted::WhenFull && has_room(&store)? {
        return Ok(Outcome::Room);
    }
    let lock = match spec.doing {
        Doing::Showing => None,
        Doing::Removing => match StoreLock::take(&store, Hold::Exclusive, PATIENCE, waiting)? {
            Some(lock) => Some(lock),
            None => return Ok(Outcome::Refused(vec!["others are reading or making images: not now".into()])),
        },
    };
    let verdicts = match decided(&store, spec, &units()?)? {
        Ok(verdicts) => verdicts,
        Err(reasons) => return Ok(Outcome::Refused(reasons)),
    };
    if lock.is_none() {
        return Ok(Outcome::Shown(verdicts));
    }
    let mut removed = remove::take_out(&store, &verdicts)?;
    // What is taken out is nobody's any more: others may go on.
    drop(lock);
    let (freed, failed) = remove::empty_trash(&store)?;
    removed.failed.extend(failed);
    Ok(Outcome::Done(Box::new(Pruned { verdicts, removed, freed })))
}

fn has_room(store: &StoreDir) -> Result<bool> {
    let text = super::config_files::read(store.root());
    let (host, _) = crate::config::Host::load(&text);
    Ok(free(store)? >= host.settings.prune.min_free.bytes())
}

/// What stays and what goes; or why that cannot be said.
fn decided(store: &StoreDir, spec: &Spec, units: &str) -> Result<Result<Vec<Verdict>, Vec<String>>> {
    let Reading { store: found, mut problems } = read(store);
    let Roots { claims, problems: more, settings } = roots::collect(store, units);
    problems.extend(more);
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let in_use = InUse::of(&found, &claims, settings.keep as usize);
    let reach = match spec.wanted {
        Wanted::Everything => Reach::Everything,
        Wanted::Policy => Reach::Policy(settings.prune),
        Wanted::WhenFull => Reach::Room(settings.prune.min_free.bytes()),
    };
    let verdicts = decide(&found, &in_use, reach, Now { time: clock::now(), free: free(store)? });
    let images = verdicts.iter().any(|verdict| verdict.goes() && matches!(verdict.item, Item::Image(_)));
    if !claims.iter().any(roots::is_about_the_store)
        && found.pins.is_empty()
        && images
        && spec.none_used == NoneUsed::Refused
    {
        return Ok(Err(vec![format!("nothing on this machine refers to any image: {NONE}")]));
    }
    Ok(Ok(verdicts))
}

const NONE: &str = "if that is right, say --all";

/// Bytes that root can still write to the store's file system.
fn free(store: &StoreDir) -> Result<u64> {
    let path = store.at(STORE);
    match rustix::fs::statvfs(&path) {
        Ok(found) => Ok(found.f_bavail.saturating_mul(found.f_frsize)),
        Err(Errno::NOENT) => Ok(u64::MAX),
        Err(error) => Err(error).with_context(|| format!("looking at the room in {}", path.display())),
    }
}
