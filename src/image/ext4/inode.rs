//! Inodes of ext4, 256 bytes each.
//! It decides on no place of a block.
//! Rules: the kernel's Documentation/filesystems/ext4, "Index Nodes"; times have 34 bits and nanoseconds.

use crate::image::bytes::Fields as _;
use crate::image::limits::{device_number, refused};
use crate::image::tree::{Device, Meta, Time};
use std::io;

/// Bytes of an inode.
pub(super) const SIZE: usize = 256;
/// Bytes of fields behind the first 128.
pub(super) const EXTRA: usize = 32;
/// Where attributes stand.
pub(super) const XATTRS_AT: usize = 128 + EXTRA;
/// Where the number of links stands.
const LINKS_AT: usize = 26;
/// The file's blocks are an extent tree.
const EXTENTS: u32 = 0x8_0000;
/// Most names of a file (`EXT4_LINK_MAX`); a directory with more says 1 (`dir_nlink`).
pub(super) const LINKS_MAX: u32 = 65_000;

/// What stands in the sixty bytes for blocks.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// The root of an extent tree.
    Extents([u8; 60]),
    /// A short link's target.
    Target(Vec<u8>),
    /// A device's number.
    Device(Device),
    /// Nothing.
    Nothing,
}

/// An inode.
#[derive(Clone, Debug)]
pub(super) struct Inode<'a> {
    /// The type of `st_mode`.
    pub(super) kind: u16,
    pub(super) meta: &'a Meta,
    pub(super) size: u64,
    pub(super) links: u32,
    /// All blocks it uses, those of trees and attributes too.
    pub(super) blocks: u64,
    pub(super) body: &'a Body,
    /// Attributes in the inode.
    pub(super) xattrs: &'a [u8],
    /// The block of the other attributes, or 0.
    pub(super) xattr_block: u32,
}

impl Inode<'_> {
    /// Its bytes.
    pub(super) fn encode(&self) -> io::Result<[u8; SIZE]> {
        let mut inode = [0; SIZE];
        let (time, extra) = time(self.meta.mtime)?;
        inode.put_u16(0, self.kind | self.meta.mode.0 & 0o7777);
        inode.put_u16(2, self.meta.uid as u16);
        inode.put_u32(4, self.size as u32);
        for at in [8, 12, 16, 144] {
            inode.put_u32(at, time);
        }
        for at in [132, 136, 140, 148] {
            inode.put_u32(at, extra);
        }
        inode.put_u16(24, self.meta.gid as u16);
        set_links(&mut inode, self.links);
        let sectors = self.blocks * 8;
        inode.put_u32(28, sectors as u32);
        inode.put_u16(116, (sectors >> 32) as u16);
        self.put_body(&mut inode)?;
        inode.put_u32(104, self.xattr_block);
        inode.put_u32(108, (self.size >> 32) as u32);
        inode.put_u16(120, (self.meta.uid >> 16) as u16);
        inode.put_u16(122, (self.meta.gid >> 16) as u16);
        inode.put_u16(128, EXTRA as u16);
        inode.put(XATTRS_AT, self.xattrs);
        Ok(inode)
    }

    fn put_body(&self, inode: &mut [u8; SIZE]) -> io::Result<()> {
        match self.body {
            Body::Extents(root) => {
                inode.put_u32(32, EXTENTS);
                inode.put(40, root);
            }
            Body::Target(target) => inode.put(40, target),
            Body::Device(Device { major, minor }) if *major < 256 && *minor < 256 => {
                inode.put_u32(40, major << 8 | minor);
            }
            Body::Device(device) => inode.put_u32(44, device_number(*device)?),
            Body::Nothing => {}
        }
        Ok(())
    }
}

/// Puts the number of links into an inode.
pub(super) fn set_links(inode: &mut [u8], links: u32) {
    inode.put_u16(LINKS_AT, links as u16);
}

/// A time's 32 bits, and the two more with the nanoseconds.
fn time(time: Time) -> io::Result<(u32, u32)> {
    let low = time.seconds as u32;
    let epoch = (time.seconds - i64::from(low as i32)) >> 32;
    let more = u32::try_from(epoch).ok().filter(|epoch| *epoch < 4).ok_or_else(|| {
        refused(format!("ext4 holds no time {} seconds from 1970: it knows 1901 to 2446", time.seconds))
    })?;
    Ok((low, time.nanoseconds << 2 | more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_from_1901_to_2446_are_kept() {
        let kept = |seconds| time(Time { seconds, nanoseconds: 5 }).ok();
        assert_eq!(kept(0), Some((0, 20)));
        assert_eq!(kept(-1), Some((u32::MAX, 20)));
        assert_eq!(kept(-(1 << 31)), Some((1 << 31, 20)));
        assert_eq!(kept(1 << 31), Some((1 << 31, 21)));
        assert_eq!(kept((1 << 34) - (1 << 31) - 1), Some((i32::MAX as u32, 23)));
        assert_eq!((kept(-(1 << 31) - 1), kept((1 << 34) - (1 << 31))), (None, None));
    }
}
