//! `remove`: an overlay taken off, and its data with it.
//! Who holds it is asked before (`busy`); here it goes, whoever is in it: systemd detaches it lazily.
//! The record says first that it goes, and is removed last: a removal that breaks off is finished by whoever comes next.

use super::{layers, registry, units, version};
use crate::host::files;
use crate::overlay::record::{Lifetime, Pending};
use crate::overlay::{OverlayPaths, Record};
use anyhow::{Context, Result};

/// Removes an overlay. The caller holds the lock.
pub fn remove(record: &Record) -> Result<()> {
    registry::write(&Record { pending: Some(Pending::Remove), ..record.clone() })?;
    finish(record)
}

/// Goes on with a removal that was begun.
pub fn finish(record: &Record) -> Result<()> {
    units::stop_if_up(record)?;
    units::remove(record)?;
    units::forget(record)?;
    erase(record)
}

/// Removes the data of an overlay that is not mounted (any more), its record last.
pub fn erase(record: &Record) -> Result<()> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    layers::take_off_below(&paths.live)?;
    let record_file = paths.record();
    for dir in [&paths.live, &paths.data] {
        for name in files::names_in(dir)? {
            let path = format!("{dir}/{name}");
            if path == record_file {
                continue;
            }
            remove_any(&path)?;
        }
    }
    files::remove_file(&record_file)?;
    files::remove_directory(&paths.live)?;
    if record.lifetime == Lifetime::Persistent {
        files::remove_directory(&paths.data)?;
    }
    Ok(())
}

fn remove_any(path: &str) -> Result<()> {
    let found = std::fs::symlink_metadata(path).with_context(|| format!("looking at {path}"))?;
    if found.is_dir() { version::remove(path) } else { files::remove_file(path).map(drop) }
}
