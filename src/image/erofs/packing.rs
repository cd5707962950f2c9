//! Inodes, each with what stands behind it, packed into blocks: each goes where it leaves the least room.
//! A block that no more goes into is given out and forgotten, so only a few are in memory; it gets its number then.
//! Rules: an inode begins at a multiple of 32 bytes, and what stands behind it does not cross a block here.

use super::format::SLOT;
use crate::verity::build::BLOCK;

/// Blocks that more may go into: enough that a fiftieth of their room is lost at most, for files of any sizes.
const OPEN: usize = 64;

/// A block with inodes.
#[derive(Debug)]
pub(super) struct Packed {
    /// Its number among blocks with inodes.
    pub(super) sequence: u32,
    /// Its bytes.
    pub(super) bytes: Box<[u8; BLOCK]>,
    used: usize,
}

/// Where an inode is: in which block of inodes, at which multiple of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The block's number among blocks with inodes.
    pub(super) sequence: u32,
    /// The place in the block.
    pub(super) slot: u8,
}

impl Place {
    /// The inode's first byte in its block.
    pub(super) fn offset(self) -> usize {
        usize::from(self.slot) * SLOT
    }
}

/// The blocks that more may go into.
#[derive(Debug, Default)]
pub(super) struct Packing {
    open: Vec<Packed>,
    next: u32,
}

impl Packing {
    /// Places a record of at most a block. Gives out the fullest block when there are too many.
    pub(super) fn place(&mut self, record: &[u8]) -> (Place, Option<Packed>) {
        let fitting = self.open.iter_mut().filter(|block| block.used + record.len() <= BLOCK);
        if let Some(block) = fitting.max_by_key(|block| (block.used, std::cmp::Reverse(block.sequence))) {
            return (block.add(record), None);
        }
        let mut block = Packed { sequence: self.take_sequence(), bytes: Box::new([0; BLOCK]), used: 0 };
        let place = block.add(record);
        self.open.push(block);
        (place, self.fullest_if_too_many())
    }

    /// A number for a block that is laid out elsewhere.
    pub(super) fn take_sequence(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// The bytes of a block that is open.
    pub(super) fn copy_open(&self, sequence: u32, bytes: &mut [u8; BLOCK]) {
        if let Some(block) = self.open.iter().find(|block| block.sequence == sequence) {
            *bytes = *block.bytes;
        }
    }

    /// All blocks that are left, in order.
    pub(super) fn into_rest(self) -> Vec<Packed> {
        self.open
    }

    fn fullest_if_too_many(&mut self) -> Option<Packed> {
        if self.open.len() <= OPEN {
            return None;
        }
        let fullest = (0..self.open.len()).max_by_key(|index| (self.open[*index].used, std::cmp::Reverse(*index)))?;
        Some(self.open.remove(fullest))
    }
}

impl Packed {
    fn add(&mut self, record: &[u8]) -> Place {
        let at = self.used;
        self.bytes[at..at + record.len()].copy_from_slice(record);
        self.used = (at + record.len()).next_multiple_of(SLOT);
        Place { sequence: self.sequence, slot: (at / SLOT) as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_go_where_they_fit_best() {
        let mut packing = Packing::default();
        let mut place = |size| {
            let (place, given) = packing.place(&vec![1; size]);
            assert!(given.is_none());
            (place.sequence, place.offset())
        };
        assert_eq!(
            [place(4000), place(3000), place(96), place(97), place(1000)],
            [(0, 0), (1, 0), (0, 4000), (1, 3008), (2, 0)]
        );
    }

    #[test]
    fn little_room_is_lost_and_no_record_overlaps() {
        let mut packing = Packing::default();
        let (mut blocks, mut bytes, mut seed) = (Vec::new(), 0, 1u32);
        for index in 0..20_000u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = 64 + (seed >> 8) as usize % 4000;
            bytes += size.next_multiple_of(SLOT);
            let (_, given) = packing.place(&vec![index as u8 | 1; size]);
            blocks.extend(given);
            assert!(packing.open.len() <= OPEN);
        }
        blocks.extend(packing.into_rest());
        assert_eq!(blocks.len() as u32, blocks.iter().map(|block| block.sequence).max().map_or(0, |last| last + 1));
        let room = blocks.len() * BLOCK;
        assert!(bytes * 100 > room * 98, "{bytes} of {room}");
    }
}
