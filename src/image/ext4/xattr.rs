//! Extended attributes of ext4: what fits behind the inode's fields, the rest in one block.
//! It shares no block between inodes.
//! Rules: the kernel's Documentation/filesystems/ext4, "Extended Attributes"; ACLs as its `fs/ext4/acl.h` has them.

use crate::image::bytes::{Fields as _, u16_at, u32_at};
use crate::image::limits::refused;
use crate::image::tree::Xattr;
use crate::verity::build::BLOCK;
use std::io;

const MAGIC: u32 = 0xea02_0000;
/// Bytes of an entry before its name.
const ENTRY: usize = 16;
/// The zero word that ends entries.
const END: usize = 4;
/// Bytes before a block's entries.
const BLOCK_HEAD: usize = 32;

/// An attribute as it is kept.
struct Kept {
    index: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Kept {
    fn new(xattr: &Xattr) -> io::Result<Self> {
        let shown = String::from_utf8_lossy(&xattr.name);
        let (index, name) = prefix(&xattr.name)
            .ok_or_else(|| refused(format!("extended attribute {shown:?} is of no kind that is kept in ext4")))?;
        let value = match index {
            2 | 3 => acl(&xattr.value).ok_or_else(|| refused(format!("{shown:?} holds no access control list")))?,
            _ => xattr.value.to_vec(),
        };
        Ok(Self { index, name: name.to_vec(), value })
    }

    fn entry_size(&self) -> usize {
        ENTRY + self.name.len().next_multiple_of(4)
    }

    fn size(&self) -> usize {
        self.entry_size() + self.value.len().next_multiple_of(4)
    }

    /// The digest over name and value that the entry in a block has (`ext4_xattr_hash_entry`).
    fn hash(&self) -> u32 {
        let name = self.name.iter().fold(0u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte));
        self.value.chunks(4).fold(name, |hash, part| {
            let mut word = [0; 4];
            word[..part.len()].copy_from_slice(part);
            hash.rotate_left(16) ^ u32::from_le_bytes(word)
        })
    }
}

/// Attributes laid out.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// What stands behind the inode's fields, empty if nothing does.
    pub(super) inside: Vec<u8>,
    /// The block, if there must be one.
    pub(super) block: Option<Box<[u8; BLOCK]>>,
}

/// Lays attributes out, with so many bytes in the inode.
pub(super) fn lay_out(xattrs: &[Xattr], room: usize) -> io::Result<Laid> {
    let mut kept = xattrs.iter().map(Kept::new).collect::<io::Result<Vec<_>>>()?;
    // In a block they are looked for in this order.
    kept.sort_by(|one, other| {
        (one.index, one.name.len(), &one.name).cmp(&(other.index, other.name.len(), &other.name))
    });
    let mut left = room.saturating_sub(4 + END);
    let (inside, outside): (Vec<_>, Vec<_>) = kept.into_iter().partition(|kept| {
        let fits = kept.size() <= left;
        left -= if fits { kept.size() } else { 0 };
        fits
    });
    let mut laid = Laid::default();
    if !inside.is_empty() {
        laid.inside = vec![0; room];
        laid.inside.put_u32(0, MAGIC);
        // Places of values count from the first entry; digests stand only in blocks.
        fill(&mut laid.inside[4..], 0, &inside, |_| 0);
    }
    if !outside.is_empty() {
        let size: usize = outside.iter().map(Kept::size).sum();
        if BLOCK_HEAD + size + END > BLOCK {
            return Err(refused(format!("a file has {size} bytes of extended attributes, ext4 holds 4 KiB")));
        }
        let mut block = Box::new([0; BLOCK]);
        block.put_u32(0, MAGIC);
        block.put_u32(4, 1);
        block.put_u32(8, 1);
        block.put_u32(12, outside.iter().fold(0u32, |hash, kept| hash.rotate_left(16) ^ kept.hash()));
        fill(&mut block[..], BLOCK_HEAD, &outside, Kept::hash);
        laid.block = Some(block);
    }
    Ok(laid)
}

/// Entries from a place on, their values from the end.
fn fill(area: &mut [u8], mut at: usize, kept: &[Kept], hash: fn(&Kept) -> u32) {
    let mut end = area.len();
    for kept in kept {
        end -= kept.value.len().next_multiple_of(4);
        area[at] = kept.name.len() as u8;
        area[at + 1] = kept.index;
        area.put_u16(at + 2, if kept.value.is_empty() { 0 } else { end as u16 });
        area.put_u32(at + 8, kept.value.len() as u32);
        area.put_u32(at + 12, hash(kept));
        area.put(at + ENTRY, &kept.name);
        area.put(end, &kept.value);
        at += kept.entry_size();
    }
}

fn prefix(name: &[u8]) -> Option<(u8, &[u8])> {
    let known: [(u8, &[u8]); 3] = [(1, b"user."), (4, b"trusted."), (6, b"security.")];
    match name {
        b"system.posix_acl_access" => Some((2, b"")),
        b"system.posix_acl_default" => Some((3, b"")),
        _ => known
            .into_iter()
            .find_map(|(index, prefix)| name.strip_prefix(prefix).map(|rest| (index, rest)))
            .filter(|(_, rest)| (1..=255).contains(&rest.len())),
    }
}

/// An access control list, from how programs see it (version 2: tag, permissions, id) to how ext4 keeps it (version 1,
/// an id only where the tag has one).
fn acl(value: &[u8]) -> Option<Vec<u8>> {
    let (version, entries) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != 2 || entries.len() % 8 != 0 {
        return None;
    }
    let mut kept = 1u32.to_le_bytes().to_vec();
    for entry in entries.chunks_exact(8) {
        kept.extend_from_slice(&entry[..4]);
        // ACL_USER and ACL_GROUP.
        if matches!(u16_at(entry, 0), 2 | 8) {
            kept.extend_from_slice(&u32_at(entry, 4).to_le_bytes());
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xattr(name: &str, value: &[u8]) -> Xattr {
        Xattr { name: name.as_bytes().into(), value: value.into() }
    }

    #[test]
    fn what_fits_is_in_the_inode_and_the_rest_in_a_block() {
        let laid = lay_out(&[xattr("user.a", b"1234"), xattr("user.b", &[7; 100])], 96).expect("good");
        assert_eq!((laid.inside.len(), laid.block.is_some()), (96, true));
        assert_eq!(laid.inside[4..8], [1, 1, 88, 0]);
        assert_eq!(laid.inside[92..], *b"1234");
        let laid = lay_out(&[], 96).expect("good");
        assert!(laid.inside.is_empty() && laid.block.is_none());
    }

    #[test]
    fn lists_are_kept_in_the_short_form() {
        let seen = [&[2, 0, 0, 0][..], &[1, 0, 6, 0, 255, 255, 255, 255], &[2, 0, 4, 0, 7, 0, 0, 0]].concat();
        assert_eq!(acl(&seen).expect("good"), [1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 7, 0, 0, 0]);
        assert!(acl(b"\x01\0\0\0").is_none() && acl(&seen[..7]).is_none());
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert!(lay_out(&[xattr("system.other", b"")], 96).is_err());
        assert!(lay_out(&[xattr("user.a", &[0; 4080])], 96).is_err());
    }
}
