//! A target, looked at: where it really is, what it is, and what is mounted in it.
//! What may be a target is `crate::overlay::target`'s; here is only what the disk says.
//! Links are resolved by the kernel, and what comes out is what everything else works with.

use crate::overlay::mount_table::MountTable;
use crate::overlay::record::Kind;
use crate::path::AbsPath;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::io::ErrorKind;

/// A target that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it really is.
    pub path: AbsPath,
    /// What it is.
    pub kind: Kind,
}

/// Resolves a target and finds out what it is.
pub fn find(target: &AbsPath) -> Result<Found> {
    let real = std::fs::canonicalize(target.as_str()).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Fault::no_input(format!("the target {target} is not there")),
        _ => Fault::failure(format!("looking at the target {target}: {error}")),
    })?;
    let text = real.to_str().with_context(|| format!("{target} leads to a path that is not text"))?;
    let path = AbsPath::parse(text).map_err(Fault::data)?;
    let found = std::fs::metadata(&real).with_context(|| format!("looking at {path}"))?;
    let kind = match () {
        () if found.is_dir() => Kind::Directory,
        () if found.is_file() => Kind::File,
        () => return Err(Fault::data(format!("{path} is neither a directory nor a file")).into()),
    };
    Ok(Found { path, kind })
}

/// The mounts of this process.
pub fn mounts() -> Result<MountTable> {
    let table = std::fs::read("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
    Ok(MountTable::parse(&String::from_utf8_lossy(&table)))
}

/// Refuses a target in which something is mounted: an overlay does not show it, and a mount must not vanish.
pub fn refuse_mounts_below(table: &MountTable, path: &AbsPath) -> Result<()> {
    match table.below(path.as_str()).as_slice() {
        [] => Ok(()),
        places => {
            let places = places.join(", ");
            Err(Fault::data(format!("something is mounted below {path} and would be hidden: {places}")).into())
        }
    }
}
