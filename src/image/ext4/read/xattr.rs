//! Extended attributes of an inode of an ext4 image that is there: behind its fields, and in a block of its own.
//! It checks no digest of them; how much may be read in all is the reader's to bound.
//! Rules: the kernel's Documentation/filesystems/ext4, "Extended Attributes".

use super::Reader;
use crate::image::bytes::{u16_at, u32_at};
use crate::image::tree::Xattr;
use crate::layer::fault::bad;
use crate::layer::limits::XATTR_NAME_MAX;
use crate::verity::tree::ReadAt;
use std::io;

const MAGIC: u32 = 0xea02_0000;
/// Bytes of an entry before its name.
const ENTRY: usize = 16;
/// Bytes before a block's entries.
const BLOCK_HEAD: usize = 32;
/// Where the fields behind the first 128 bytes say how many they are.
const EXTRA_AT: usize = 128;
/// Bytes of one inode's attributes that are looked at: entries can share their values.
const ALL_MAX: usize = 1 << 20;

/// All of an inode, sorted by name.
pub(super) fn read<D: ReadAt>(image: &Reader<D>, inode: &[u8]) -> io::Result<Vec<Xattr>> {
    let mut xattrs = Vec::new();
    if inode.len() > EXTRA_AT {
        let begin = EXTRA_AT + usize::from(u16_at(inode, EXTRA_AT));
        if let Some(area) = inode.get(begin..).filter(|area| area.len() >= 4 && u32_at(area, 0) == MAGIC) {
            // Places of values count from the first entry.
            parse(&area[4..], 0, &mut xattrs)?;
        }
    }
    let block = u64::from(u32_at(inode, 104)) | u64::from(u16_at(inode, 118)) << 32;
    if block != 0 {
        let block = image.block(block)?;
        if u32_at(&block, 0) != MAGIC || u32_at(&block, 8) != 1 {
            return Err(bad("a block of extended attributes is not as it must be"));
        }
        parse(&block, BLOCK_HEAD, &mut xattrs)?;
    }
    xattrs.sort_unstable();
    if xattrs.windows(2).any(|pair| pair[0].name == pair[1].name) {
        return Err(bad("an inode has an extended attribute twice"));
    }
    Ok(xattrs)
}

fn parse(area: &[u8], mut at: usize, xattrs: &mut Vec<Xattr>) -> io::Result<()> {
    let cut = || bad("an extended attribute is cut off");
    let mut all = 0;
    while area.get(at..at + 4).ok_or_else(cut)? != [0; 4] {
        let entry = area.get(at..).filter(|entry| entry.len() >= ENTRY).ok_or_else(cut)?;
        let name = entry.get(ENTRY..ENTRY + usize::from(entry[0])).ok_or_else(cut)?;
        let (begin, size) = (usize::from(u16_at(entry, 2)), u32_at(entry, 8) as usize);
        if u32_at(entry, 4) != 0 {
            return Err(bad("an extended attribute is in an inode of its own, which is not read"));
        }
        all += size;
        let end = begin.checked_add(size).filter(|_| all <= ALL_MAX).ok_or_else(cut)?;
        let value = if size == 0 { &[][..] } else { area.get(begin..end).ok_or_else(cut)? };
        xattrs.push(xattr(entry[1], name, value)?);
        at += ENTRY + name.len().next_multiple_of(4);
    }
    Ok(())
}

fn xattr(index: u8, rest: &[u8], value: &[u8]) -> io::Result<Xattr> {
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
    let value = if matches!(index, 2 | 3) { acl(value)? } else { value.to_vec() };
    Ok(Xattr { name: name.into(), value: value.into() })
}

/// An access control list, from how ext4 keeps it (version 1, an id only where the tag has one) to how programs see it
/// (version 2: tag, permissions, id).
fn acl(kept: &[u8]) -> io::Result<Vec<u8>> {
    let wrong = || bad("an access control list is not as it must be");
    let (version, mut rest) = kept.split_first_chunk::<4>().ok_or_else(wrong)?;
    if u32::from_le_bytes(*version) != 1 {
        return Err(wrong());
    }
    let mut seen = 2u32.to_le_bytes().to_vec();
    while let Some((head, behind)) = rest.split_first_chunk::<4>() {
        // ACL_USER and ACL_GROUP have an id; the others say that it is undefined.
        let (id, behind) = match u16_at(head, 0) {
            2 | 8 => behind.split_first_chunk::<4>().ok_or_else(wrong)?,
            _ => (&[0xff; 4], behind),
        };
        seen.extend_from_slice(head);
        seen.extend_from_slice(id);
        rest = behind;
    }
    if rest.is_empty() { Ok(seen) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back_in_the_long_form() {
        let seen = [&[2, 0, 0, 0][..], &[1, 0, 6, 0, 255, 255, 255, 255], &[2, 0, 4, 0, 7, 0, 0, 0]].concat();
        assert_eq!(acl(&[1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 7, 0, 0, 0]).expect("good"), seen);
        for wrong in [&b""[..], &[2, 0, 0, 0], &[1, 0, 0, 0, 2, 0, 4, 0], &[1, 0, 0, 0, 1]] {
            assert!(acl(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn attributes_that_reach_out_of_their_area_are_refused() {
        let entry = |value_at: u16, size: u32| {
            let head = [&[1, 1][..], &value_at.to_le_bytes(), &[0; 4], &size.to_le_bytes(), &[0; 4], b"a\0\0\0"];
            [head.concat(), vec![0; 8]].concat()
        };
        let mut xattrs = Vec::new();
        parse(&entry(24, 4), 0, &mut xattrs).expect("good");
        assert_eq!(xattrs, [Xattr { name: b"user.a".as_slice().into(), value: [0; 4].into() }]);
        for wrong in [entry(25, 4), entry(0, u32::MAX), entry(24, 4)[..20].to_vec()] {
            assert!(parse(&wrong, 0, &mut Vec::new()).is_err());
        }
    }
}
