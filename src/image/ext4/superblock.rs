//! The superblock of ext4, the descriptors of its groups and their bitmaps.
//! It allocates nothing: what is used comes in as ranges of blocks.
//! Rules: the kernel's Documentation/filesystems/ext4, "Super Block", "Block Group Descriptors".

use super::geometry::{GROUP, Geometry, has_copy};
use crate::image::bytes::Fields as _;
use crate::image::identity::Uuid;
use crate::verity::build::BLOCK;
use std::ops::Range;

/// `has_journal`, `ext_attr`, `dir_index`; the resize inode is left out, since it would tie the size.
const COMPAT: u32 = 0x8 | 0x20;
const HAS_JOURNAL: u32 = 0x4;
/// `filetype`, `extent`, `flex_bg`.
const INCOMPAT: u32 = 0x2 | 0x40 | 0x200;
/// `sparse_super`, `large_file`, `huge_file`, `dir_nlink`, `extra_isize`.
const RO_COMPAT: u32 = 0x1 | 0x2 | 0x8 | 0x20 | 0x40;
/// The first inode that is not the file system's own: `lost+found`.
pub(super) const FIRST_INODE: u32 = 11;
/// The journal's inode.
pub(super) const JOURNAL_INODE: u32 = 8;

/// What is known of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) table: u64,
    pub(super) free_blocks: u32,
    pub(super) free_inodes: u32,
    pub(super) directories: u32,
}

/// Which blocks are used.
#[derive(Clone, Debug)]
pub(super) struct Used<'a> {
    /// Blocks of the file system.
    pub(super) total: u64,
    /// All up to here but for the gaps, and what is reserved behind.
    pub(super) end: u64,
    pub(super) gaps: &'a [Range<u64>],
    /// Blocks that group descriptors really take.
    pub(super) descriptor_blocks: u64,
}

impl Used<'_> {
    /// The bitmap of a group's blocks, and how many are free.
    pub(super) fn bitmap(&self, geometry: &Geometry, group: u64) -> (Box<[u8; BLOCK]>, u32) {
        let mut bits = Box::new([0; BLOCK]);
        let begin = group * GROUP;
        let range = |range: &Range<u64>| {
            let clamp = |block: u64| block.clamp(begin, begin + GROUP) - begin;
            clamp(range.start)..clamp(range.end)
        };
        set(&mut bits, range(&(0..self.end)));
        let reserved = geometry.reserved_in(group);
        self.gaps.iter().chain([&reserved]).for_each(|gap| clear(&mut bits, range(gap)));
        if has_copy(group) {
            set(&mut bits, range(&(begin..begin + 1 + self.descriptor_blocks)));
        }
        set(&mut bits, range(&(self.total..u64::MAX)));
        let free = bits.iter().map(|byte| byte.count_zeros()).sum();
        (bits, free)
    }
}

/// The bitmap of a group's inodes, of which the first are used but for some, and how many are free.
pub(super) fn inode_bitmap(inodes_per_group: u32, used: u64, free: &[u64]) -> (Box<[u8; BLOCK]>, u32) {
    let mut bits = Box::new([0; BLOCK]);
    set(&mut bits, 0..used);
    free.iter().for_each(|bit| clear(&mut bits, *bit..bit + 1));
    set(&mut bits, u64::from(inodes_per_group)..GROUP);
    let free = bits.iter().map(|byte| byte.count_zeros()).sum();
    (bits, free)
}

fn set(bits: &mut [u8; BLOCK], range: Range<u64>) {
    range.for_each(|bit| bits[(bit / 8) as usize] |= 1 << (bit % 8));
}

fn clear(bits: &mut [u8; BLOCK], range: Range<u64>) {
    range.for_each(|bit| bits[(bit / 8) as usize] &= !(1 << (bit % 8)));
}

/// All group descriptors, in whole blocks.
pub(super) fn descriptors(groups: &[Group]) -> Vec<u8> {
    let mut bytes = vec![0; (groups.len() * 32).next_multiple_of(BLOCK)];
    for (group, descriptor) in groups.iter().zip(bytes.chunks_exact_mut(32)) {
        descriptor.put_u32(0, group.block_bitmap as u32);
        descriptor.put_u32(4, group.inode_bitmap as u32);
        descriptor.put_u32(8, group.table as u32);
        descriptor.put_u16(12, group.free_blocks as u16);
        descriptor.put_u16(14, group.free_inodes as u16);
        descriptor.put_u16(16, group.directories as u16);
    }
    bytes
}

/// The journal, as the superblock knows it.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    /// The root of its extent tree.
    pub(super) root: [u8; 60],
    /// Its bytes.
    pub(super) size: u64,
}

/// What the superblock says.
#[derive(Clone, Debug)]
pub(super) struct Superblock<'a> {
    pub(super) total: u64,
    pub(super) geometry: Geometry,
    pub(super) groups: &'a [Group],
    pub(super) uuid: Uuid,
    pub(super) hash_seed: Uuid,
    pub(super) journal: Option<Journal>,
}

impl Superblock<'_> {
    /// The 1024 bytes of the copy in a group.
    pub(super) fn encode(&self, group: u64) -> [u8; 1024] {
        let mut sb = [0; 1024];
        let sum = |part: fn(&Group) -> u32| self.groups.iter().map(|group| u64::from(part(group))).sum::<u64>() as u32;
        sb.put_u32(0, self.geometry.inodes_per_group * self.groups.len() as u32);
        sb.put_u32(4, self.total as u32);
        sb.put_u32(12, sum(|group| group.free_blocks));
        sb.put_u32(16, sum(|group| group.free_inodes));
        // Blocks and clusters of 4 KiB: 1 KiB, shifted by two.
        sb.put_u32(24, 2);
        sb.put_u32(28, 2);
        sb.put_u32(32, GROUP as u32);
        sb.put_u32(36, GROUP as u32);
        sb.put_u32(40, self.geometry.inodes_per_group);
        // No check after so many mounts; magic, clean, go on after errors, revision 1.
        sb.put_u16(54, 0xffff);
        sb.put_u16(56, 0xef53);
        sb.put_u16(58, 1);
        sb.put_u16(60, 1);
        sb.put_u32(76, 1);
        sb.put_u32(84, FIRST_INODE);
        sb.put_u16(88, super::inode::SIZE as u16);
        sb.put_u16(90, group as u16);
        sb.put_u32(92, COMPAT | if self.journal.is_some() { HAS_JOURNAL } else { 0 });
        sb.put_u32(96, INCOMPAT);
        sb.put_u32(100, RO_COMPAT);
        sb.put(104, &self.uuid.0);
        sb.put(236, &self.hash_seed.0);
        // Half-MD4 for new indexes; attributes and lists without asking for them; names' bytes are unsigned.
        sb[252] = 1;
        sb.put_u32(256, 0xc);
        sb.put_u16(348, super::inode::EXTRA as u16);
        sb.put_u16(350, super::inode::EXTRA as u16);
        sb.put_u32(352, 2);
        // Sixteen groups keep their metadata together, where new ones are made.
        sb[372] = 4;
        if let Some(journal) = &self.journal {
            sb.put_u32(224, JOURNAL_INODE);
            sb[253] = 1;
            sb.put(268, &journal.root);
            sb.put_u32(328, (journal.size >> 32) as u32);
            sb.put_u32(332, journal.size as u32);
        }
        sb
    }
}

/// The first block of an empty journal (the kernel's Documentation/filesystems/ext4, "Journal (jbd2)"): big-endian.
pub(super) fn journal_head(blocks: u32, uuid: Uuid) -> Box<[u8; BLOCK]> {
    let mut head = Box::new([0; BLOCK]);
    // Magic, superblock version 2; block size, blocks, first block of the log, first sequence.
    for (at, value) in [(0, 0xc03b_3998), (4, 4), (12, BLOCK as u32), (16, blocks), (20, 1), (24, 1), (64, 1)] {
        head.put(at, &value.to_be_bytes());
    }
    head.put(48, &uuid.0);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_free_or_behind_the_end() {
        let geometry = Geometry { descriptor_blocks: 8, inodes_per_group: 8192 };
        let gap = 100..110;
        let used = Used { total: GROUP + 1000, end: 200, gaps: &[gap], descriptor_blocks: 1 };
        let (bits, free) = used.bitmap(&geometry, 0);
        // Superblock, descriptors, 191 others without the gap.
        assert_eq!(u64::from(free), GROUP - 2 - (200 - 9 - 10));
        assert_eq!((bits[0], bits[1]), (0b11, 0b1111_1110));
        let (_, free) = used.bitmap(&geometry, 1);
        assert_eq!(free, 998);
    }
}
