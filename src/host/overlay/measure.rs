//! What is told of an overlay beside its record: whether it is up, and how much was written.
//! It changes nothing and takes no lock: what it tells was so when it looked.
//! Sizes are the file system's own (statvfs(3)): a tmpfs, or the file system in a persistent overlay's image.

use super::target;
use crate::host::below_root;
use crate::overlay::mount_table::MountTable;
use crate::overlay::record::{Mode, Pending};
use crate::overlay::{OverlayPaths, Record};
use anyhow::Result;
use std::path::Path;

/// Whether an overlay is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It lies over its target.
    Active,
    /// It does not: an admin stopped it, or nothing has started it.
    Stopped,
    /// It is held back, for this reason.
    Held(String),
    /// An act on it is under way, or broke off.
    Changing,
}

impl State {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Held(_) => "held",
            Self::Changing => "changing",
        }
    }
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes written.
    pub used: u64,
    /// Bytes that can be written.
    pub left: u64,
}

/// Looks at overlays, with one look at the mounts for all.
#[derive(Debug)]
pub struct Look(MountTable);

impl Look {
    /// Looks at the mounts.
    pub fn now() -> Result<Self> {
        target::mounts().map(Self)
    }

    /// Whether an overlay is up.
    pub fn state(&self, record: &Record) -> State {
        let mounted = self.0.top(record.target.as_str()).is_some();
        let held = || below_root::read(Path::new(&OverlayPaths::new(&record.name, record.lifetime).held()));
        match record.pending {
            Some(Pending::Apply | Pending::Remove) => State::Changing,
            None if mounted => State::Active,
            None => match held() {
                Ok(Some(why)) => State::Held(why.trim_end().to_owned()),
                _ => State::Stopped,
            },
        }
    }

    /// How much was written into an overlay that is up and can be written.
    pub fn room(&self, record: &Record) -> Option<Room> {
        if record.mode == Mode::ReadOnly {
            return None;
        }
        let written = OverlayPaths::new(&record.name, record.lifetime).in_use().written();
        let found = rustix::fs::statvfs(written.as_str()).ok()?;
        // The file system may be larger than what was asked for: its tables and its journal are beside it.
        let used = found.f_blocks.saturating_sub(found.f_bfree) * found.f_frsize;
        let left = (found.f_bavail * found.f_frsize).min(record.size.saturating_sub(used));
        Some(Room { used, left })
    }
}
