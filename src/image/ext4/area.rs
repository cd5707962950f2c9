//! The stream of blocks of an ext4 file system: it steps over what is reserved, and keeps inode tables together.
//! It knows what a file is no more than the stream below it.
//! Rules: those of `geometry`; inode tables may lie anywhere (`flex_bg`).

use super::geometry::Geometry;
use super::inode::SIZE;
use crate::image::blocks::{BlockStream, WriteAt};
use crate::verity::build::BLOCK;
use std::io;
use std::ops::Range;

/// Blocks on their way, and what is known of them.
#[derive(Debug)]
pub(super) struct Area<F: WriteAt> {
    pub(super) stream: BlockStream<F>,
    pub(super) geometry: Geometry,
    /// Where the next reserved blocks are.
    reserved: Range<u64>,
    /// Blocks that were passed and are used by nothing.
    pub(super) gaps: Vec<Range<u64>>,
    /// Where each group's inode table is.
    pub(super) tables: Vec<u64>,
    /// Inodes of the table that is not full.
    inodes: Vec<u8>,
}

impl<F: WriteAt> Area<F> {
    pub(super) fn new(stream: BlockStream<F>, geometry: Geometry) -> Self {
        let reserved = geometry.reserved_in(0);
        Self { stream, geometry, reserved, gaps: Vec::new(), tables: Vec::new(), inodes: Vec::new() }
    }

    /// The block that comes next, none that is reserved; the stream is between two blocks.
    pub(super) fn position(&mut self) -> io::Result<u64> {
        let here = self.stream.position();
        if here < self.reserved.start {
            return Ok(here);
        }
        self.stream.skip(self.reserved.end - here)?;
        self.reserved = self.geometry.reserved_from(self.reserved.end);
        Ok(self.stream.position())
    }

    /// Takes bytes; a block that has begun goes on.
    pub(super) fn write(&mut self, mut bytes: &[u8], begun: &mut usize) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = self.room(*begun)?;
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.stream.write(now)?;
            *begun = (*begun + now.len()) % BLOCK;
            bytes = later;
        }
        Ok(())
    }

    /// Takes zeros.
    pub(super) fn zeros(&mut self, mut count: u64, begun: &mut usize) -> io::Result<()> {
        while count > 0 {
            let now = count.min(self.room(*begun)? as u64);
            self.stream.zeros(now)?;
            *begun = ((*begun as u64 + now) % BLOCK as u64) as usize;
            count -= now;
        }
        Ok(())
    }

    /// Bytes up to the next reserved block, from a block of which this many bytes are there.
    fn room(&mut self, begun: usize) -> io::Result<usize> {
        let here = if begun == 0 { self.position()? } else { self.stream.position() };
        Ok(((self.reserved.start - here) as usize).saturating_mul(BLOCK) - begun)
    }

    /// Takes a whole block, and says where it is.
    pub(super) fn block(&mut self, block: &[u8; BLOCK]) -> io::Result<u64> {
        let here = self.position()?;
        self.stream.write(block)?;
        Ok(here)
    }

    /// Leaves out so many blocks that are used and zero.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let here = self.position()?;
            let now = count.min(self.reserved.start - here);
            self.stream.skip(now)?;
            count -= now;
        }
        Ok(())
    }

    /// Goes to where so many blocks lie in one piece.
    pub(super) fn piece(&mut self, count: u64) -> io::Result<u64> {
        let here = self.position()?;
        let begin = self.geometry.piece(here, count);
        if begin > here {
            let passed = self.geometry.pieces(here, self.reserved.start - here);
            self.gaps.extend(passed);
            self.stream.skip(begin - here)?;
            self.reserved = self.geometry.reserved_from(begin);
        }
        Ok(begin)
    }

    /// Takes the next inode, and writes the table when it is full.
    pub(super) fn inode(&mut self, inode: &[u8; SIZE]) -> io::Result<()> {
        self.inodes.extend_from_slice(inode);
        if self.inodes.len() == self.geometry.inodes_per_group as usize * SIZE { self.table() } else { Ok(()) }
    }

    /// Writes the table as it is.
    pub(super) fn table(&mut self) -> io::Result<()> {
        let blocks = self.geometry.table_blocks();
        let begin = self.piece(blocks)?;
        self.tables.push(begin);
        self.stream.write(&std::mem::take(&mut self.inodes))?;
        self.stream.pad()?;
        self.stream.skip(begin + blocks - self.stream.position())
    }

    /// Whether a table has begun that is not written.
    pub(super) fn has_inodes(&self) -> bool {
        !self.inodes.is_empty()
    }

    /// The block and the byte in it where an inode is, once its table is written.
    pub(super) fn place_of(&self, inode: u32) -> Option<(u64, usize)> {
        let index = inode - 1;
        let table = self.tables.get((index / self.geometry.inodes_per_group) as usize)?;
        let byte = (index % self.geometry.inodes_per_group) as usize * SIZE;
        Some((table + (byte / BLOCK) as u64, byte % BLOCK))
    }
}
