//! Where things may lie in an ext4 file system: groups, and the blocks at some groups' beginning that are spoken for.
//! It holds no bytes and keeps no account of what is used.
//! Rules: the kernel's Documentation/filesystems/ext4, "Block Groups"; `sparse_super` in ext4(5).

use std::ops::Range;

/// Blocks of a group: as many as a bitmap of one block has bits.
pub(super) const GROUP: u64 = 8 * 4096;
/// Group descriptors in a block.
pub(super) const DESCRIPTORS: u64 = 4096 / 32;
/// Inodes in a block of a table.
pub(super) const INODES: u32 = 4096 / 256;

/// The fixed numbers of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Blocks kept for group descriptors, in each copy.
    pub(super) descriptor_blocks: u64,
    /// Inodes of a group, a multiple of those in a block.
    pub(super) inodes_per_group: u32,
}

impl Geometry {
    /// Blocks of a group's inode table.
    pub(super) fn table_blocks(&self) -> u64 {
        u64::from(self.inodes_per_group / INODES)
    }

    /// The blocks at a group's beginning that are the superblock's and the descriptors'; none in most groups.
    pub(super) fn reserved_in(&self, group: u64) -> Range<u64> {
        let begin = group * GROUP;
        begin..begin + if has_copy(group) { 1 + self.descriptor_blocks } else { 0 }
    }

    /// The next reserved blocks that end behind this one.
    pub(super) fn reserved_from(&self, block: u64) -> Range<u64> {
        let mut group = block / GROUP;
        loop {
            let reserved = self.reserved_in(group);
            if reserved.end > block && !reserved.is_empty() {
                return reserved;
            }
            group = next_copy(group + 1);
        }
    }

    /// The first block from this one that is not reserved.
    pub(super) fn usable(&self, block: u64) -> u64 {
        let reserved = self.reserved_from(block);
        if reserved.contains(&block) { reserved.end } else { block }
    }

    /// The first place from this block where so many lie in one piece.
    pub(super) fn piece(&self, block: u64, count: u64) -> u64 {
        let mut begin = self.usable(block);
        loop {
            let reserved = self.reserved_from(begin);
            if begin + count <= reserved.start {
                return begin;
            }
            begin = reserved.end;
        }
    }

    /// The pieces in which so many blocks lie from this one.
    pub(super) fn pieces(&self, block: u64, mut count: u64) -> Vec<Range<u64>> {
        let (mut pieces, mut begin) = (Vec::new(), self.usable(block));
        while count > 0 {
            let reserved = self.reserved_from(begin);
            let end = reserved.start.min(begin + count);
            pieces.push(begin..end);
            count -= end - begin;
            begin = reserved.end;
        }
        pieces
    }
}

/// Whether a group has a copy of the superblock: 0, 1, and powers of 3, 5 and 7.
pub(super) fn has_copy(group: u64) -> bool {
    group <= 1
        || [3, 5, 7].into_iter().any(|base| (0..).map(|n| u64::pow(base, n)).find(|p| *p >= group) == Some(group))
}

/// The first group from this one with a copy.
fn next_copy(group: u64) -> u64 {
    if group <= 1 {
        return group;
    }
    let powers =
        [3u64, 5, 7].into_iter().filter_map(|base| (1..20).map(|n| base.saturating_pow(n)).find(|p| *p >= group));
    powers.min().unwrap_or(u64::MAX / GROUP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRY: Geometry = Geometry { descriptor_blocks: 2, inodes_per_group: 8192 };

    #[test]
    fn copies_are_in_the_first_two_groups_and_in_powers() {
        let copies: Vec<_> = (0..400).filter(|group| has_copy(*group)).collect();
        assert_eq!(copies, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343]);
        for group in 0..400 {
            assert_eq!(next_copy(group), (group..).find(|group| has_copy(*group)).expect("there is one"));
        }
    }

    #[test]
    fn nothing_lies_on_reserved_blocks() {
        assert_eq!((GEOMETRY.usable(0), GEOMETRY.usable(3), GEOMETRY.usable(GROUP)), (3, 3, GROUP + 3));
        assert_eq!(GEOMETRY.usable(2 * GROUP), 2 * GROUP);
        assert_eq!(GEOMETRY.piece(GROUP - 5, 5), GROUP - 5);
        assert_eq!(GEOMETRY.piece(GROUP - 5, 6), GROUP + 3);
        assert_eq!(GEOMETRY.pieces(GROUP - 5, 7), [GROUP - 5..GROUP, GROUP + 3..GROUP + 5]);
        assert_eq!(GEOMETRY.pieces(2 * GROUP, GROUP).len(), 1);
        assert_eq!(GEOMETRY.pieces(7, 0), []);
        assert_eq!(GEOMETRY.table_blocks(), 512);
    }
}
