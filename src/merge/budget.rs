//! What a merge may still remember: entries, and the bytes of names and directories.
//! It remembers nothing itself: the log asks it for what layers say, the tree for the directories that nobody names.
//! The bounds are `layer::limits`'; this is what bounds the memory of a conversion.

use crate::layer::fault::bad;
use crate::layer::limits::{DIRECTORY, Limits};
use std::io;

/// What is left of the limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    entries: u64,
    names: u64,
    limits: Limits,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { entries: limits.entries, names: limits.names_size, limits }
    }

    /// One more thing is said, or implied by the name of another.
    pub(super) fn entry(&mut self) -> io::Result<()> {
        let limit = self.limits.entries;
        let said =
            || bad(format!("there are more than {limit} entries in the layers, with the directories they imply"));
        self.entries = self.entries.checked_sub(1).ok_or_else(said)?;
        Ok(())
    }

    /// So many more bytes of names, link targets and attributes.
    pub(super) fn names(&mut self, bytes: u64) -> io::Result<()> {
        let limit = self.limits.names_size;
        let said = || bad(format!("the names, attributes and directories in the layers take more than {limit} bytes"));
        self.names = self.names.checked_sub(bytes).ok_or_else(said)?;
        Ok(())
    }

    /// One more directory of this name: it takes memory of its own, whatever it is called.
    pub(super) fn directory(&mut self, name: &[u8]) -> io::Result<()> {
        self.names(name.len() as u64 + DIRECTORY)
    }
}
