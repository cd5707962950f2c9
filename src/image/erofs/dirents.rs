//! Directories as EROFS keeps them: blocks of entries and names, in order of the names' bytes.
//! It knows no inode's place before it is told.
//! Rules: the kernel's Documentation/filesystems/erofs ("Directories") and `fs/erofs/namei.c`, which searches by halves.

use super::format::Kind;
use crate::image::bytes::Fields as _;
use crate::image::tree::{Directory, Entry};
use crate::verity::build::BLOCK;
use std::ops::Bound;

/// Bytes of an entry before its name.
const ENTRY: usize = 12;

/// What a name in a directory leads to, its own two names included.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    This,
    Parent,
    Entry(&'a Entry),
}

/// An entry, ready to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dirent<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: u64,
    pub(super) kind: Kind,
}

/// All names of a directory, in order of their bytes.
pub(super) fn names(directory: &Directory) -> impl Iterator<Item = (&[u8], Target<'_>)> {
    let between = |from, to| {
        let part = directory.entries.range::<[u8], _>((from, to));
        part.map(|(name, entry)| (&**name, Target::Entry(entry)))
    };
    let (this, parent): (&[u8], &[u8]) = (b".", b"..");
    between(Bound::Unbounded, Bound::Excluded(this))
        .chain([(this, Target::This)])
        .chain(between(Bound::Excluded(this), Bound::Excluded(parent)))
        .chain([(parent, Target::Parent)])
        .chain(between(Bound::Excluded(parent), Bound::Unbounded))
}

/// Bytes that names take: whole blocks but for the last.
pub(super) fn size<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let (mut whole, mut used) = (0u64, 0);
    for name in names {
        let more = ENTRY + name.len();
        if used + more > BLOCK {
            (whole, used) = (whole + 1, 0);
        }
        used += more;
    }
    whole * BLOCK as u64 + used as u64
}

/// The bytes of these entries.
pub(super) fn encode<'a>(entries: impl Iterator<Item = Dirent<'a>>) -> Vec<u8> {
    let (mut bytes, mut block, mut used) = (Vec::new(), Vec::new(), 0);
    for entry in entries {
        let more = ENTRY + entry.name.len();
        if used + more > BLOCK {
            append_block(&mut bytes, &block);
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
            block.clear();
            used = 0;
        }
        used += more;
        block.push(entry);
    }
    append_block(&mut bytes, &block);
    bytes
}

fn append_block(bytes: &mut Vec<u8>, entries: &[Dirent<'_>]) {
    let begin = bytes.len();
    let mut name_at = entries.len() * ENTRY;
    bytes.resize(begin + name_at, 0);
    for (index, entry) in entries.iter().enumerate() {
        let head = &mut bytes[begin + index * ENTRY..];
        head.put_u64(0, entry.inode);
        head.put_u16(8, name_at as u16);
        head[10] = entry.kind.entry_type();
        name_at += entry.name.len();
        bytes.extend_from_slice(entry.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tree::InodeId;

    fn directory(names: &[&str]) -> Directory {
        let entries = names.iter().map(|name| (name.as_bytes().into(), Entry::Inode(InodeId(0)))).collect();
        Directory { entries, ..Directory::default() }
    }

    fn encoded(directory: &Directory) -> Vec<u8> {
        encode(names(directory).map(|(name, _)| Dirent { name, inode: 0x0102, kind: Kind::Regular }))
    }

    #[test]
    fn its_own_names_stand_where_their_bytes_belong() {
        let directory = directory(&["!", ".-", ".a", "a"]);
        let listed: Vec<_> = names(&directory).map(|(name, _)| name).collect();
        assert_eq!(listed, [&b"!"[..], b".", b".-", b"..", b".a", b"a"]);
    }

    #[test]
    fn an_empty_directory_is_two_entries() {
        let bytes = encoded(&directory(&[]));
        let head = |name_at| [2, 1, 0, 0, 0, 0, 0, 0, name_at, 0, 1, 0];
        assert_eq!(bytes, [&head(24)[..], &head(25), b"..."].concat());
    }

    #[test]
    fn the_size_is_known_before_the_inodes_are() {
        for count in [0, 1, 3, 15, 16, 17, 100, 3000] {
            for length in [1, 5, 100, 240] {
                let all: Vec<_> = (0..count).map(|index| format!("{index:04}{}", "x".repeat(length))).collect();
                let directory = directory(&all.iter().map(String::as_str).collect::<Vec<_>>());
                let size = size(names(&directory).map(|(name, _)| name));
                assert_eq!(size, encoded(&directory).len() as u64, "{count} names of {length}");
            }
        }
    }
}
