//! `reset`, `rollback` and `accept`: acts on an overlay that is there.
//! Each makes a version of its own beside the one in use, records it, and lets it take the other's place; so a failure
//! leaves the overlay as it was, and what a process still writes into the old one harms nothing.
//! An upper layer is never mounted twice (overlayfs.rst, "Sharing and copying layers"): going back means copying.

use super::copy::{self, Limits, Marks};
use super::measure::{Look, State};
use super::{apply, base, layers, mounting, recover, registry, units, version};
use crate::host::clock;
use crate::overlay::record::{Act, Kind, Mode, Version};
use crate::overlay::{OverlayPaths, Record};
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fs::{self as rfs, OFlags};
use std::path::Path;

/// Drops what was written; the new record. The caller holds the lock.
pub fn reset(record: &Record) -> Result<(Record, mounting::Switched)> {
    if record.mode == Mode::ReadOnly {
        return Err(Fault::data(format!("{} is read-only: nothing was written into it", record.name)).into());
    }
    let version = record.version().context("the record has no version in use")?;
    renew(record, version, Act::Reset)
}

/// Goes back to an older version, by its number, or to the one before.
pub fn rollback(record: &Record, to: Option<u32>) -> Result<(Record, mounting::Switched)> {
    renew(record, wanted(record, to)?, Act::Rollback)
}

/// The version that is meant.
pub fn wanted(record: &Record, to: Option<u32>) -> Result<&Version> {
    let numbers: Vec<String> = record.versions.iter().map(|version| version.number.to_string()).collect();
    let found = match to {
        Some(number) => record.find(number),
        None => record.versions.iter().rev().find(|version| version.number != record.current),
    };
    found.filter(|version| version.number != record.current).ok_or_else(|| {
        let text = match to {
            Some(number) if number == record.current => format!("version {number} of {} is in use", record.name),
            Some(number) => format!("{} has no version {number}: it has {}", record.name, numbers.join(", ")),
            None => format!("{} has no version before {}", record.name, record.current),
        };
        Fault::data(text).into()
    })
}

/// A new version with an older one's source; after a rollback with what was written into that one, too.
fn renew(record: &Record, from: &Version, by: Act) -> Result<(Record, mounting::Switched)> {
    recover::refuse_if_down(record)?;
    let number = record.next_number();
    let mut new = record.clone();
    let (source, mut size) = (from.source.clone(), None);
    if record.mode == Mode::Writable {
        // What was written into the older one has to find room again.
        new.size = record.room(from);
        size = Some(new.size);
    }
    new.advance(Version { number, made: clock::now(), by, source, size, committed: Vec::new() });
    let made = version::make_writable(&new, number).and_then(|()| match (by, record.mode) {
        (Act::Rollback, Mode::Writable) => copy_written(&new, from, number),
        _ => Ok(()),
    });
    let switched = made.and_then(|()| apply::switch(&new));
    match switched {
        Ok(switched) => {
            apply::forget(record, &new)?;
            Ok((new, switched))
        }
        Err(error) => {
            // The record may say otherwise by now; the fault that is reported is the first one.
            drop(registry::write(record));
            drop(version::discard(record, number, None));
            Err(error)
        }
    }
}

pub(super) fn copy_written(new: &Record, from: &Version, number: u32) -> Result<()> {
    let paths = OverlayPaths::new(&new.name, new.lifetime);
    let version = new.find(number).context("the record lacks its new version")?;
    layers::raise(new, from)?;
    layers::raise(new, version)?;
    let (old, to) = (paths.version(from.number), paths.version(number));
    let open = |path: &str| {
        rfs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, rfs::Mode::empty()).with_context(|| format!("opening {path}"))
    };
    match new.kind {
        Kind::Directory => copy::tree(&open(&old.upper())?, Path::new(&to.upper()), Limits::NONE, Marks::Kept)?,
        Kind::File => {
            let target = format!("{}/file", to.written());
            std::fs::remove_file(&target).with_context(|| format!("removing {target}"))?;
            copy::file(&open(&format!("{}/file", old.written()))?, Path::new(&target), Limits::NONE)?
        }
    };
    Ok(())
}

/// Keeps what an overlay is now as a version, which an image was made of, and gives its number; what is seen does not
/// change. None is kept of one that is not mounted: its layers are not up.
pub fn keep(record: &Record, image: &str) -> Result<Option<u32>> {
    if !matches!(Look::now()?.state(record), State::Active | State::Changing) {
        return Ok(None);
    }
    let from = record.version().context("the record has no version in use")?;
    let number = record.next_number();
    let size = (record.mode == Mode::Writable).then(|| record.room(from));
    let (made, source) = (clock::now(), from.source.clone());
    let mut new = record.clone();
    for version in &mut new.versions {
        // It is there once, of what it was last made of.
        version.committed.retain(|other| other != image);
    }
    new.keep(Version { number, made, by: Act::Commit, source, size, committed: vec![image.to_owned()] });
    let with_room = Record { size: size.unwrap_or(record.size), ..new.clone() };
    let made = version::make_writable(&with_room, number).and_then(|()| match record.mode {
        Mode::Writable => copy_written(&with_room, from, number).and_then(|()| layers::lower(&new, number)),
        Mode::ReadOnly => Ok(()),
    });
    match made.and_then(|()| registry::write(&new)) {
        Ok(()) => apply::forget(record, &new).map(|()| Some(number)),
        Err(error) => {
            // The fault that is reported is the first one.
            drop(version::discard(record, number, None));
            Err(error)
        }
    }
}

/// Takes what lies beneath now for the base; mounts the overlay if it was held back for that.
pub fn accept(record: &Record, lock: registry::Lock) -> Result<Record> {
    let version = record.version().context("the record has no version in use")?;
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let mounted = recover::find(record)?.mounted == crate::overlay::recovery::Mounted::Yes;
    let beneath = if mounted { paths.base() } else { record.target.to_string() };
    let content = base::content(record, version.source.number, &version.source.kind)?;
    let base = base::identify(Path::new(&beneath), &content.path, record.kind)?;
    let new = Record { base, ..record.clone() };
    registry::write(&new)?;
    if !mounted {
        crate::host::files::remove_file(&paths.held())?;
        units::write(&new)?;
        if new.declared.is_some() {
            // Its unit makes it, and takes the lock for that.
            drop(lock);
        }
        units::start(&[&new])?;
    }
    Ok(new)
}
