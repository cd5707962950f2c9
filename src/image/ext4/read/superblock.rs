//! The superblock of an ext4 image that is there: what kind it is, and where its groups are.
//! It looks at no inode; an image of a kind that is not read is refused here, with the reason.
//! Rules: the kernel's Documentation/filesystems/ext4, "Super Block"; ext4(5) for the features' names.

use super::halves;
use crate::image::bytes::{u16_at, u32_at};
use crate::image::read::bounded::Bounded;
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

const SUPER_AT: u64 = 1024;
const SIZE: usize = 1024;
const MAGIC_AT: usize = 56;
const MAGIC: u16 = 0xef53;
/// Set while a journal has to be replayed first.
const NEEDS_RECOVERY: u32 = 0x4;
/// `filetype`.
const FILETYPE: u32 = 0x2;
/// `64bit`: descriptors have upper halves.
const WIDE: u32 = 0x80;
/// Incompatible features that are read: `filetype`, `extent`, `64bit`, `mmp`, `flex_bg`, `csum_seed`, `large_dir`, and
/// `casefold`, which changes how names are looked up, not how they are kept.
const READ: u32 = FILETYPE | 0x40 | WIDE | 0x100 | 0x200 | 0x2000 | 0x4000 | 0x2_0000;
/// The other ones, by their names.
const KNOWN: [(u32, &str); 7] = [
    (0x1, "compression"),
    (0x8, "an external journal"),
    (0x10, "meta_bg"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x8000, "inline_data"),
    (0x1_0000, "encrypt"),
];
const HAS_JOURNAL: u32 = 0x4;
/// The state of a file system that was unmounted, without errors.
const CLEAN: u16 = 1;

/// What is needed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// A block is two to this power.
    pub(super) block_bits: u32,
    pub(super) blocks: u64,
    pub(super) free_blocks: u64,
    pub(super) inodes: u64,
    pub(super) inodes_per_group: u64,
    pub(super) inode_size: u64,
    pub(super) has_journal: bool,
    /// Where group descriptors begin, and the bytes of one.
    pub(super) descriptors_at: u64,
    pub(super) descriptor_size: u64,
}

/// Whether an image says that it is one.
pub(in crate::image) fn is_ext4<D: ReadAt>(image: &Bounded<D>) -> io::Result<bool> {
    let mut magic = [0; 2];
    if image.size < SUPER_AT + SIZE as u64 {
        return Ok(false);
    }
    image.fill(&mut magic, SUPER_AT + MAGIC_AT as u64)?;
    Ok(u16_at(&magic, 0) == MAGIC)
}

impl Superblock {
    pub(super) fn read<D: ReadAt>(image: &Bounded<D>) -> io::Result<Self> {
        let mut sb = [0; SIZE];
        image.fill(&mut sb, SUPER_AT)?;
        check_features(&sb)?;
        check_state(&sb)?;
        let read = Self::parse(&sb)?;
        let size = read.blocks.saturating_mul(read.block());
        match size > image.size {
            true => Err(bad(format!("it is cut off: {} of {size} bytes are there", image.size))),
            false => Ok(read),
        }
    }

    fn parse(sb: &[u8; SIZE]) -> io::Result<Self> {
        let incompat = u32_at(sb, 96);
        let block_bits = u32_at(sb, 24).saturating_add(10);
        if block_bits > 16 {
            return Err(bad(format!("its blocks have 2^{block_bits} bytes, 2^10 to 2^16 are possible")));
        }
        let wide = incompat & WIDE != 0;
        let upper = |low, high| if wide { halves(sb, low, high) } else { u64::from(u32_at(sb, low)) };
        // Before revision 1 there was one size.
        let inode_size = if u32_at(sb, 76) == 0 { 128 } else { u64::from(u16_at(sb, 88)) };
        let descriptor_size = if wide { u64::from(u16_at(sb, 254)) } else { 32 };
        let fits = |size: u64, least| size.is_power_of_two() && (least..=1 << block_bits).contains(&size);
        let inodes_per_group = u64::from(u32_at(sb, 40));
        if !fits(inode_size, 128) || !fits(descriptor_size, 32) || inodes_per_group == 0 {
            return Err(bad("its superblock is not as it must be"));
        }
        Ok(Self {
            block_bits,
            blocks: upper(4, 336),
            free_blocks: upper(12, 344),
            inodes: u64::from(u32_at(sb, 0)),
            inodes_per_group,
            inode_size,
            has_journal: u32_at(sb, 92) & HAS_JOURNAL != 0,
            descriptors_at: (u64::from(u32_at(sb, 20)) + 1) << block_bits,
            descriptor_size,
        })
    }

    /// Bytes of a block.
    pub(super) fn block(&self) -> u64 {
        1 << self.block_bits
    }

    /// Where an inode is.
    pub(super) fn place_of<D: ReadAt>(&self, image: &Bounded<D>, number: u64) -> io::Result<u64> {
        let index = number.checked_sub(1).filter(|_| number <= self.inodes);
        let index = index.ok_or_else(|| bad(format!("a name leads to inode {number}, which there is not")))?;
        let (group, within) = (index / self.inodes_per_group, index % self.inodes_per_group);
        let mut descriptor = [0; 64];
        let known = (self.descriptor_size as usize).min(descriptor.len());
        image.fill(&mut descriptor[..known], self.descriptors_at + group * self.descriptor_size)?;
        let table = halves(&descriptor, 8, 40);
        table
            .checked_mul(self.block())
            .and_then(|at| at.checked_add(within * self.inode_size))
            .ok_or_else(|| bad("something lies outside of it"))
    }
}

fn check_features(sb: &[u8; SIZE]) -> io::Result<()> {
    let incompat = u32_at(sb, 96);
    if incompat & NEEDS_RECOVERY != 0 {
        return Err(unclean());
    }
    if let Some((_, name)) = KNOWN.iter().find(|(feature, _)| incompat & feature != 0) {
        return Err(bad(format!("it has the feature {name}, which is not read")));
    }
    let unknown = incompat & !READ;
    if unknown != 0 {
        return Err(bad(format!("it has features that are not read (0x{unknown:x})")));
    }
    if incompat & FILETYPE == 0 {
        return Err(bad("it lacks the feature filetype, without which it is not read"));
    }
    Ok(())
}

/// The state, and whether files are left that were deleted while they were open.
fn check_state(sb: &[u8; SIZE]) -> io::Result<()> {
    let state = u16_at(sb, 58);
    if state != CLEAN || u32_at(sb, 232) != 0 { Err(unclean()) } else { Ok(()) }
}

fn unclean() -> io::Error {
    bad("it is in use, or was not unmounted, or has errors: unmount it, or run e2fsck on it")
}
