//! The superblock of an EROFS image that is there: what kind it is, and where the rest begins.
//! It looks at no inode; an image of a kind that is not read is refused here, with the reason.
//! Rules: the kernel's `fs/erofs/erofs_fs.h` and `super.c`.

use crate::image::bytes::{Fields as _, crc32c, u16_at, u32_at, u64_at};
use crate::image::erofs::format::{CHUNKED_FILE, MAGIC, SUPER_AT};
use crate::image::read::bounded::Bounded;
use crate::image::tree::Time;
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

/// Bytes of a superblock.
const SIZE: usize = 128;
/// The compatible feature that says there is a checksum.
const CHECKSUM: u32 = 1;
/// Incompatible features that an image without compressed files can have: `mkfs.erofs` sets the first (`ZERO_PADDING`)
/// whether it compresses or not.
const READ: u32 = 1 | CHUNKED_FILE;
/// `COMPR_CFGS`, `ZTAILPACKING`, `FRAGMENTS` with `DEDUPE`.
const COMPRESSED: u32 = 0x2 | 0x10 | 0x20;
/// `DEVICE_TABLE`, or with compression a second algorithm.
const DEVICES: u32 = 0x8;

/// What is needed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// A block is two to this power.
    pub(super) block_bits: u8,
    /// The root's number.
    pub(super) root: u64,
    /// The time of compact inodes.
    pub(super) epoch: Time,
    /// Where inode 0 would be.
    pub(super) inodes_at: u64,
    /// Where shared extended attributes begin.
    pub(super) shared_at: u64,
}

/// Whether an image says that it is one.
pub(in crate::image) fn is_erofs<D: ReadAt>(image: &Bounded<D>) -> io::Result<bool> {
    let mut magic = [0; 4];
    if image.size < (SUPER_AT + SIZE) as u64 {
        return Ok(false);
    }
    image.fill(&mut magic, SUPER_AT as u64)?;
    Ok(u32_at(&magic, 0) == MAGIC)
}

impl Superblock {
    /// Reads it from an image.
    pub(super) fn read<D: ReadAt>(image: &Bounded<D>) -> io::Result<Self> {
        if image.size < (SUPER_AT + SIZE) as u64 {
            return Err(bad("it is too small for an EROFS image"));
        }
        let mut sb = [0; SIZE];
        image.fill(&mut sb, SUPER_AT as u64)?;
        check_features(&sb)?;
        let read = Self::parse(&sb, image.size)?;
        if u32_at(&sb, 8) & CHECKSUM != 0 {
            read.check_sum(image, u32_at(&sb, 4))?;
        }
        Ok(read)
    }

    fn parse(sb: &[u8; SIZE], size: u64) -> io::Result<Self> {
        let block_bits = sb[12];
        if !(9..=16).contains(&block_bits) {
            return Err(bad(format!("its blocks have 2^{block_bits} bytes, 2^9 to 2^16 are possible")));
        }
        let place = |at: usize| u64::from(u32_at(sb, at)) << block_bits;
        if place(36) > size {
            return Err(bad(format!("it is cut off: {size} of {} bytes are there", place(36))));
        }
        let epoch = Time { seconds: u64_at(sb, 24) as i64, nanoseconds: u32_at(sb, 32) };
        if epoch.nanoseconds >= 1_000_000_000 {
            return Err(bad("its time has more nanoseconds than a second"));
        }
        Ok(Self { block_bits, root: u64::from(u16_at(sb, 14)), epoch, inodes_at: place(40), shared_at: place(44) })
    }

    /// The checksum is over the rest of the superblock's block, as if it were zero itself.
    fn check_sum<D: ReadAt>(&self, image: &Bounded<D>, wanted: u32) -> io::Result<()> {
        let block = 1usize << self.block_bits;
        let mut bytes = vec![0; if block > SUPER_AT { block - SUPER_AT } else { block }];
        image.fill(&mut bytes, SUPER_AT as u64)?;
        bytes.put_u32(4, 0);
        let sum = crc32c(!0, &bytes);
        if sum == wanted { Ok(()) } else { Err(bad("its superblock has a wrong checksum")) }
    }
}

fn check_features(sb: &[u8; SIZE]) -> io::Result<()> {
    let features = u32_at(sb, 80);
    if features & COMPRESSED != 0 {
        return Err(compressed());
    }
    if features & DEVICES != 0 || u16_at(sb, 86) != 0 {
        return Err(bad("a part of it is in other files: make it with mkfs.erofs without --blobdev"));
    }
    if features & !READ != 0 || sb[90] != 0 {
        return Err(bad(format!("it has features that are not read (0x{:x})", features & !READ)));
    }
    Ok(())
}

/// What is said of a compressed image.
pub(super) fn compressed() -> io::Error {
    bad("it is compressed, and only images without compression are read: make it with mkfs.erofs without -z")
}
