//! Extended attributes: each told once in an area that inodes share, or behind the inode where that cannot be.
//! It keeps the area in memory, so it bounds it; nothing is lost by that, only room.
//! Rules: the kernel's `fs/erofs/erofs_fs.h` and `xattr.c`; prefixes are those of xattr(7).

use crate::image::bytes::Fields as _;
use crate::image::limits::refused;
use crate::image::tree::Xattr;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io;

/// Bytes of shared attributes that are kept; what comes later stands behind its inode.
const SHARED_MAX: usize = 4 << 20;
/// An inode's list of shared attributes has an 8-bit count.
const SHARED_PER_INODE: usize = 255;
/// Bytes before the list.
const HEAD: usize = 12;

/// The area of shared attributes.
#[derive(Debug)]
pub(super) struct SharedXattrs {
    area: Vec<u8>,
    most: usize,
    /// Where an attribute with this digest lies, in fours of bytes.
    known: HashMap<[u8; 32], u32>,
}

impl Default for SharedXattrs {
    fn default() -> Self {
        Self { area: Vec::new(), most: SHARED_MAX, known: HashMap::new() }
    }
}

impl SharedXattrs {
    /// From now on everything is shared: directories come last, and their attributes are in memory anyway.
    pub(super) fn lift_bound(&mut self) {
        self.most = usize::MAX;
    }

    /// The area, to be written at the end.
    pub(super) fn area(&self) -> &[u8] {
        &self.area
    }

    /// What stands behind an inode that has these, empty if it has none.
    pub(super) fn behind_inode(&mut self, xattrs: &[Xattr]) -> io::Result<Vec<u8>> {
        if xattrs.is_empty() {
            return Ok(Vec::new());
        }
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for xattr in xattrs {
            match self.share(entry(xattr)?, shared.len()) {
                Ok(place) => shared.push(place),
                Err(entry) => own.extend(entry),
            }
        }
        let mut body = vec![0; HEAD + shared.len() * 4];
        body[4] = shared.len() as u8;
        shared.iter().enumerate().for_each(|(index, place)| body.put_u32(HEAD + index * 4, *place));
        body.extend(own);
        Ok(body)
    }

    /// The place of an attribute in the area, or it again if it cannot be there.
    fn share(&mut self, entry: Vec<u8>, listed: usize) -> Result<u32, Vec<u8>> {
        if listed == SHARED_PER_INODE {
            return Err(entry);
        }
        let digest = Sha256::digest(&entry).into();
        if let Some(place) = self.known.get(&digest) {
            return Ok(*place);
        }
        if self.area.len() + entry.len() > self.most {
            return Err(entry);
        }
        let place = (self.area.len() / 4) as u32;
        self.area.extend(entry);
        self.known.insert(digest, place);
        Ok(place)
    }
}

/// The field of an inode for what stands behind it.
pub(super) fn count_field(body: &[u8]) -> io::Result<u16> {
    match body.len() {
        0 => Ok(0),
        size => u16::try_from((size - HEAD) / 4 + 1).map_err(|_| {
            refused("a file has more than 256 KiB of extended attributes, which EROFS cannot hold".into())
        }),
    }
}

/// An attribute as it lies on disk, its size a multiple of four.
fn entry(xattr: &Xattr) -> io::Result<Vec<u8>> {
    let shown = String::from_utf8_lossy(&xattr.name);
    let (index, rest) = prefix(&xattr.name)
        .ok_or_else(|| refused(format!("extended attribute {shown:?} is of no kind EROFS keeps")))?;
    let size = u16::try_from(xattr.value.len())
        .map_err(|_| refused(format!("extended attribute {shown:?} has {} bytes, 65535 fit", xattr.value.len())))?;
    let name = u8::try_from(rest.len())
        .map_err(|_| refused(format!("extended attribute {shown:?} has too long a name, 255 bytes fit")))?;
    let mut entry = vec![name, index];
    entry.extend_from_slice(&size.to_le_bytes());
    entry.extend_from_slice(rest);
    entry.extend_from_slice(&xattr.value);
    entry.resize(entry.len().next_multiple_of(4), 0);
    Ok(entry)
}

/// The number that stands for a name's prefix, and the rest of the name.
fn prefix(name: &[u8]) -> Option<(u8, &[u8])> {
    match name {
        b"system.posix_acl_access" => Some((2, b"")),
        b"system.posix_acl_default" => Some((3, b"")),
        _ => [(1, &b"user."[..]), (4, b"trusted."), (6, b"security.")]
            .into_iter()
            .find_map(|(index, prefix)| name.strip_prefix(prefix).map(|rest| (index, rest)))
            .filter(|(_, rest)| !rest.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xattr(name: &str, value: &[u8]) -> Xattr {
        Xattr { name: name.as_bytes().into(), value: value.into() }
    }

    #[test]
    fn the_same_attribute_is_kept_once() {
        let mut shared = SharedXattrs::default();
        let list = [xattr("security.capability", b"12345"), xattr("user.a", b"")];
        let body = shared.behind_inode(&list).expect("good");
        assert_eq!(body, [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0]);
        assert_eq!(shared.behind_inode(&list[1..]).expect("good")[HEAD..], [5, 0, 0, 0]);
        assert_eq!(shared.area(), b"\x0a\x06\x05\x00capability12345\0\x01\x01\x00\x00a\0\0\0");
        assert_eq!(count_field(&body).ok(), Some(3));
        assert_eq!((shared.behind_inode(&[]).ok(), count_field(&[]).ok()), (Some(Vec::new()), Some(0)));
    }

    #[test]
    fn what_does_not_fit_the_area_stands_behind_the_inode() {
        let mut shared = SharedXattrs::default();
        let many: Vec<_> = (0..300).map(|index| xattr(&format!("user.{index:03}"), b"xy")).collect();
        let body = shared.behind_inode(&many).expect("good");
        assert_eq!((body[4], body.len()), (255, HEAD + 255 * 4 + 45 * 12));
        let large: Vec<_> = (0..70u8).map(|index| xattr("user.l", &[index; 65_000])).collect();
        for one in &large {
            shared.behind_inode(std::slice::from_ref(one)).expect("good");
        }
        assert!(shared.area().len() <= SHARED_MAX);
        assert_eq!(shared.behind_inode(&large[69..]).expect("good").len(), HEAD + 65_008);
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_name() {
        for (name, value, said) in [
            ("system.nfs4_acl", 1, "\"system.nfs4_acl\" is of no kind"),
            ("user.", 1, "\"user.\" is of no kind"),
            ("user.large", 65536, "has 65536 bytes"),
            (&format!("user.{}", "n".repeat(256)), 1, "too long a name"),
        ] {
            let error = entry(&xattr(name, &vec![0; value])).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
        assert!(count_field(&vec![0; HEAD + 4 * 65535]).is_err());
    }
}
