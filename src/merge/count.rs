//! A writer that writes nothing: for a check of all digests, and to know what the merge alone costs.
//! It keeps no tree.

use crate::image::tree::{Content, Directory, InodeId, Meta, Piece, Special, TreeWriter};
use std::io;

/// Counts what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Inodes that are no directories.
    pub inodes: u32,
    /// Bytes of files without their holes.
    pub bytes: u64,
}

impl TreeWriter for Count {
    type Finished = Self;

    fn file(&mut self, _meta: &Meta, _size: u64, content: &mut dyn Content) -> io::Result<InodeId> {
        while let Some(piece) = content.next_piece()? {
            if let Piece::Data(bytes) = piece {
                self.bytes += bytes.len() as u64;
            }
        }
        self.inodes += 1;
        Ok(InodeId(self.inodes - 1))
    }

    fn special(&mut self, _meta: &Meta, _special: &Special) -> io::Result<InodeId> {
        self.inodes += 1;
        Ok(InodeId(self.inodes - 1))
    }

    fn finish(self, _root: &Directory) -> io::Result<Self> {
        Ok(self)
    }
}
