//! Extended attributes of an inode of an EROFS image that is there: its own, and those it shares.
//! It keeps none; how much may be read in all is the reader's to bound.
//! Rules: the kernel's `fs/erofs/xattr.c`; prefixes are those of xattr(7).

use super::Reader;
use crate::image::bytes::{u16_at, u32_at};
use crate::image::tree::Xattr;
use crate::layer::fault::bad;
use crate::layer::limits::XATTR_NAME_MAX;
use crate::verity::tree::ReadAt;
use std::io;

/// Bytes before the list of shared attributes.
const HEAD: usize = 12;
/// Bytes of an attribute before its name.
const ENTRY: usize = 4;

/// The attributes behind an inode, sorted by name, and how many bytes they take there.
pub(super) fn read<D: ReadAt>(image: &Reader<D>, at: u64, count: u16) -> io::Result<(Vec<Xattr>, u64)> {
    if count == 0 {
        return Ok((Vec::new(), 0));
    }
    let mut bytes = vec![0; HEAD + (usize::from(count) - 1) * 4];
    image.bytes.fill(&mut bytes, at)?;
    image.bytes.spend(bytes.len() as u64)?;
    let shared = usize::from(bytes[4]);
    let own = bytes.get(HEAD + shared * 4..).ok_or_else(|| bad("an inode shares more attributes than it lists"))?;
    let mut xattrs = Vec::new();
    for index in 0..shared {
        xattrs.push(shared_one(image, u32_at(&bytes, HEAD + index * 4))?);
    }
    let mut rest = own;
    while !rest.is_empty() {
        let (xattr, length) = parse(rest)?;
        xattrs.push(xattr);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    xattrs.sort_unstable();
    if xattrs.windows(2).any(|pair| pair[0].name == pair[1].name) {
        return Err(bad("an inode has an extended attribute twice"));
    }
    Ok((xattrs, bytes.len() as u64))
}

fn shared_one<D: ReadAt>(image: &Reader<D>, place: u32) -> io::Result<Xattr> {
    let at = image.sb.shared_at + u64::from(place) * 4;
    let mut head = [0; ENTRY];
    image.bytes.fill(&mut head, at)?;
    let mut bytes = vec![0; length(&head)];
    image.bytes.fill(&mut bytes, at)?;
    image.bytes.spend(bytes.len() as u64)?;
    parse(&bytes).map(|(xattr, _)| xattr)
}

/// Bytes of an attribute that begins like this.
fn length(head: &[u8]) -> usize {
    ENTRY + usize::from(head[0]) + usize::from(u16_at(head, 2))
}

/// The first of some attributes, and its length.
fn parse(bytes: &[u8]) -> io::Result<(Xattr, usize)> {
    let cut = || bad("an extended attribute is cut off");
    let head = bytes.get(..ENTRY).ok_or_else(cut)?;
    let (index, name_end, end) = (head[1], ENTRY + usize::from(head[0]), length(head));
    let (rest, value) = (bytes.get(ENTRY..name_end).ok_or_else(cut)?, bytes.get(name_end..end).ok_or_else(cut)?);
    let prefix: &[u8] = match (index, rest) {
        (1, [_, ..]) => b"user.",
        (2, []) => b"system.posix_acl_access",
        (3, []) => b"system.posix_acl_default",
        (4, [_, ..]) => b"trusted.",
        (6, [_, ..]) => b"security.",
        _ => return Err(bad(format!("an extended attribute has a name of no kind that is read ({index})"))),
    };
    let name = [prefix, rest].concat();
    if name.len() > XATTR_NAME_MAX || name.contains(&0) {
        return Err(bad("an extended attribute has a name that none can have"));
    }
    Ok((Xattr { name: name.into(), value: value.into() }, end))
}
