//! One inode of an ext4 image that is there: what is known of it, and where its bytes are.
//! It follows no name and reads no file's bytes but a link's. Flags of chattr(1) are not looked at: no tree here has any.
//! Rules: the kernel's Documentation/filesystems/ext4, "Index Nodes"; `fs/ext4/inode.c` for short links.

use super::{Reader, Root, xattr};
use crate::image::bytes::{u16_at, u32_at};
use crate::image::ext4::{BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, REGULAR, SOCKET, SYMLINK};
use crate::image::limits::{check_link, device_of};
use crate::image::read::{Inode, What, link_target};
use crate::image::tree::{Device, Meta, Mode, Special, Time};
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

/// Bytes that every inode has.
const LEAST: usize = 128;
/// `EXT4_EXTENTS_FL` and `EXT4_HUGE_FILE_FL`.
const EXTENTS: u32 = 0x8_0000;
const HUGE: u32 = 0x4_0000;
/// Flags of files whose bytes are not what is read, with what such a file is.
const OTHER: [(u32, &str); 4] =
    [(0x4, "compressed"), (0x800, "encrypted"), (0x10_0000, "under fs-verity"), (0x1000_0000, "kept in its inode")];

/// Where an inode's bytes are; each place is checked when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) struct Body {
    /// How many bytes there are, holes included.
    pub(in crate::image) size: u64,
    pub(super) map: Map,
}

/// How the sixty bytes in the inode are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    Extents(Root),
    Indirect(Root),
}

/// Whether an inode of the file system's own is there and a directory.
pub(super) fn is_directory<D: ReadAt>(image: &Reader<D>, number: u64) -> io::Result<bool> {
    let bytes = bytes(image, number)?;
    Ok(u16_at(&bytes, 0) & 0o170_000 == DIRECTORY.0)
}

fn bytes<D: ReadAt>(image: &Reader<D>, number: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; image.sb.inode_size as usize];
    image.bytes.fill(&mut bytes, image.sb.place_of(&image.bytes, number)?)?;
    Ok(bytes)
}

/// Reads the inode of a number.
pub(super) fn read<D: ReadAt>(image: &Reader<D>, number: u64) -> io::Result<Inode<Body>> {
    let inode = bytes(image, number)?;
    let (mode, flags) = (u16_at(&inode, 0), u32_at(&inode, 32));
    let xattrs = xattr::read(image, &inode)?;
    let id = |low, high| u32::from(u16_at(&inode, low)) | u32::from(u16_at(&inode, high)) << 16;
    let meta = Meta { mode: Mode(mode & 0o7777), uid: id(2, 120), gid: id(24, 122), mtime: mtime(&inode), xattrs };
    let body = || body(&inode, flags);
    let special = |special| Ok(What::Special(special));
    let what = match mode & 0o170_000 {
        kind if kind == DIRECTORY.0 => Ok(What::Directory(body()?)),
        kind if kind == REGULAR.0 => Ok(What::File(body()?)),
        kind if kind == SYMLINK.0 => special(Special::Symlink(link(image, &inode, flags)?)),
        kind if kind == CHARACTER.0 => special(Special::Character(device(&inode))),
        kind if kind == BLOCK_DEVICE.0 => special(Special::Block(device(&inode))),
        kind if kind == FIFO.0 => special(Special::Fifo),
        kind if kind == SOCKET.0 => special(Special::Socket),
        _ => Err(bad(format!("an inode has the mode 0{mode:o}"))),
    }?;
    Ok(Inode { meta, what })
}

/// The time of last change; without the further field it has 32 bits.
fn mtime(inode: &[u8]) -> Time {
    let low = u32_at(inode, 16) as i32;
    let has_more = inode.len() > LEAST && usize::from(u16_at(inode, LEAST)) + LEAST >= 140;
    let more = if has_more { u32_at(inode, 136) } else { 0 };
    // What is no number of nanoseconds is none the kernel wrote.
    let nanoseconds = Some(more >> 2).filter(|nanoseconds| *nanoseconds < 1_000_000_000).unwrap_or_default();
    Time { seconds: i64::from(low) + (i64::from(more & 3) << 32), nanoseconds }
}

fn root(inode: &[u8]) -> Root {
    let mut root = [0; super::super::extents::ROOT];
    root.copy_from_slice(&inode[40..40 + super::super::extents::ROOT]);
    root
}

fn body(inode: &[u8], flags: u32) -> io::Result<Body> {
    if let Some((_, how)) = OTHER.iter().find(|(flag, _)| flags & flag != 0) {
        return Err(bad(format!("a file is {how}, which is not read")));
    }
    let map = if flags & EXTENTS != 0 { Map::Extents(root(inode)) } else { Map::Indirect(root(inode)) };
    Ok(Body { size: super::halves(inode, 4, 108), map })
}

fn device(inode: &[u8]) -> Device {
    match u32_at(inode, 40) {
        0 => device_of(u32_at(inode, 44)),
        short => Device { major: short >> 8 & 0xff, minor: short & 0xff },
    }
}

/// What a link says: in the inode if no block is used but for attributes.
fn link<D: ReadAt>(image: &Reader<D>, inode: &[u8], flags: u32) -> io::Result<Box<[u8]>> {
    let body = body(inode, flags)?;
    let unit = if flags & HUGE != 0 { image.sb.block() } else { 512 };
    let used = (u64::from(u32_at(inode, 28)) | u64::from(u16_at(inode, 116)) << 32).saturating_mul(unit);
    let attributes = if u32_at(inode, 104) == 0 { 0 } else { image.sb.block() };
    if used > attributes {
        return link_target(body.size, &mut image.content(body));
    }
    let root = root(inode);
    let target = usize::try_from(body.size).ok().and_then(|size| root.get(..size));
    let target = target.ok_or_else(|| bad("a link is longer than its inode"))?;
    check_link(target).map_err(|error| bad(error.to_string()))?;
    Ok(target.into())
}
