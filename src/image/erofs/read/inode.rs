//! One inode of an EROFS image that is there: what is known of it, and where its bytes are.
//! It follows no name and reads no file's bytes but a link's.
//! Rules: the kernel's `fs/erofs/inode.c`, Documentation/filesystems/erofs ("Inode data layout").

use super::{Reader, superblock, xattr};
use crate::image::bytes::{u16_at, u32_at, u64_at};
use crate::image::erofs::format::{Kind, NO_BLOCK, SLOT};
use crate::image::limits::device_of;
use crate::image::read::{Inode, What, link_target};
use crate::image::tree::{Meta, Mode, Special, Time};
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

/// Where an inode's bytes are; checked to lie in the image, chunks when they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) struct Body {
    pub(super) size: u64,
    pub(super) place: Place,
}

impl Body {
    /// How many bytes there are, holes included.
    pub(in crate::image) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of its table of chunks.
    pub(super) fn table(&self) -> u64 {
        match self.place {
            Place::Chunks { entry, bits, .. } => (((self.size - 1) >> bits) + 1).saturating_mul(entry),
            Place::Stretch(_) | Place::Split { .. } => 0,
        }
    }
}

/// The layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One stretch from here.
    Stretch(u64),
    /// One stretch from the first place up to so many bytes, the rest at the second place.
    Split { first: u64, straight: u64, tail: u64 },
    /// Chunks of two to the power of `bits` bytes, with a table of `entry` bytes each.
    Chunks { table: u64, entry: u64, bits: u8 },
}

/// What stands in front: both forms made one.
struct Head {
    form: u16,
    xattr_count: u16,
    mode: u16,
    size: u64,
    place: u32,
    uid: u32,
    gid: u32,
    mtime: Time,
    /// Bytes of the head itself.
    length: u64,
}

const COMPACT: usize = 32;
const EXTENDED: usize = 64;

/// Reads the inode of a number.
pub(super) fn read<D: ReadAt>(image: &Reader<D>, number: u64) -> io::Result<Inode<Body>> {
    let at = number.checked_mul(SLOT as u64).and_then(|from| from.checked_add(image.sb.inodes_at));
    let at = at.filter(|at| *at < image.bytes.size).ok_or_else(|| bad("an inode lies outside of it"))?;
    let head = head(image, at)?;
    let kind = Kind::of_mode(head.mode).ok_or_else(|| bad(format!("an inode has the mode 0{:o}", head.mode)))?;
    if head.mtime.nanoseconds >= 1_000_000_000 {
        return Err(bad("an inode's time has more nanoseconds than a second"));
    }
    let behind = at + head.length;
    let (xattrs, length) = xattr::read(image, behind, head.xattr_count)?;
    let meta = Meta { mode: Mode(head.mode & 0o7777), uid: head.uid, gid: head.gid, mtime: head.mtime, xattrs };
    let device = || device_of(head.place);
    let what = match kind {
        Kind::Directory => What::Directory(body(image, &head, behind + length)?),
        Kind::Regular => What::File(body(image, &head, behind + length)?),
        Kind::Symlink => What::Special(Special::Symlink(link(image, body(image, &head, behind + length)?)?)),
        Kind::Character => What::Special(Special::Character(device())),
        Kind::Block => What::Special(Special::Block(device())),
        Kind::Fifo => What::Special(Special::Fifo),
        Kind::Socket => What::Special(Special::Socket),
    };
    Ok(Inode { meta, what })
}

fn head<D: ReadAt>(image: &Reader<D>, at: u64) -> io::Result<Head> {
    let mut bytes = [0; EXTENDED];
    // The last inode of an image may be a compact one at its very end.
    let there = usize::try_from(image.bytes.size - at).map_or(EXTENDED, |left| left.min(EXTENDED));
    image.bytes.fill(&mut bytes[..there], at)?;
    let form = u16_at(&bytes, 0);
    let needed = if form & 1 == 0 { COMPACT } else { EXTENDED };
    if there < needed {
        return Err(bad("an inode is cut off"));
    }
    if form & !0xf != 0 {
        return Err(bad(format!("an inode has a form that is not read (0x{form:x})")));
    }
    let (xattr_count, mode, place) = (u16_at(&bytes, 2), u16_at(&bytes, 4), u32_at(&bytes, 16));
    let length = needed as u64;
    Ok(match needed {
        COMPACT => {
            let (uid, gid) = (u32::from(u16_at(&bytes, 24)), u32::from(u16_at(&bytes, 26)));
            let (size, mtime) = (u64::from(u32_at(&bytes, 8)), image.sb.epoch);
            Head { form, xattr_count, mode, size, place, uid, gid, mtime, length }
        }
        _ => {
            let (uid, gid, size) = (u32_at(&bytes, 24), u32_at(&bytes, 28), u64_at(&bytes, 8));
            let mtime = Time { seconds: u64_at(&bytes, 32) as i64, nanoseconds: u32_at(&bytes, 40) };
            Head { form, xattr_count, mode, size, place, uid, gid, mtime, length }
        }
    })
}

/// Where the bytes of an inode are, with what stands behind it at a place.
fn body<D: ReadAt>(image: &Reader<D>, head: &Head, behind: u64) -> io::Result<Body> {
    let (size, bits) = (head.size, image.sb.block_bits);
    let first = if head.place == NO_BLOCK { 0 } else { u64::from(head.place) << bits };
    let place = match head.form >> 1 {
        _ if size == 0 => Place::Stretch(0),
        0 => {
            image.bytes.check(first, size)?;
            Place::Stretch(first)
        }
        2 => {
            let straight = (size - 1) >> bits << bits;
            if straight > 0 {
                image.bytes.check(first, straight)?;
            }
            image.bytes.check(behind, size - straight)?;
            if behind >> bits != (behind + (size - straight) - 1) >> bits {
                return Err(bad("the last piece of a file crosses the end of its block"));
            }
            Place::Split { first, straight, tail: behind }
        }
        4 => chunks(image, head, behind)?,
        _ => return Err(superblock::compressed()),
    };
    Ok(Body { size, place })
}

/// `EROFS_CHUNK_FORMAT_INDEXES`: entries have a device's number before the address.
const INDEXES: u32 = 0x20;

fn chunks<D: ReadAt>(image: &Reader<D>, head: &Head, behind: u64) -> io::Result<Place> {
    let (format, width) = (head.place & 0xffff, (head.place & 0x1f) as u8);
    if format & !(INDEXES | 0x1f) != 0 {
        return Err(bad(format!("a file has chunks of a form that is not read (0x{format:x})")));
    }
    let bits = image.sb.block_bits + width;
    let entry = if format & INDEXES == 0 { 4 } else { 8 };
    let table = behind.next_multiple_of(entry);
    image.bytes.check(table, (((head.size - 1) >> bits) + 1).saturating_mul(entry))?;
    Ok(Place::Chunks { table, entry, bits })
}

fn link<D: ReadAt>(image: &Reader<D>, body: Body) -> io::Result<Box<[u8]>> {
    link_target(body.size, &mut image.content(body))
}
