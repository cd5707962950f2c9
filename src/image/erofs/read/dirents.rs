//! The names in one block of a directory of an EROFS image that is there.
//! It follows none of them; a block that is not as it must be gives an error, never a part of its names.
//! Rules: the kernel's `fs/erofs/dir.c`: entries first, their names behind, the last one ended by zeros or the block's end.

use crate::image::bytes::{u16_at, u64_at};
use crate::image::read::check_name;
use crate::layer::fault::bad;
use std::io;

/// Bytes of an entry before its name.
const ENTRY: usize = 12;

/// Gives the names of a block.
pub(super) fn each(block: &[u8], take: &mut dyn FnMut(&[u8], u64) -> io::Result<()>) -> io::Result<()> {
    parse(block)?.into_iter().try_for_each(|(name, number)| take(name, number))
}

/// The names of a block and the numbers of their inodes; the directory's own two are left out.
fn parse(block: &[u8]) -> io::Result<Vec<(&[u8], u64)>> {
    let wrong = || bad("a directory's block is not as it must be");
    let names_at = block.get(8..10).map(|field| usize::from(u16_at(field, 0))).ok_or_else(wrong)?;
    if names_at < ENTRY || names_at % ENTRY != 0 || names_at > block.len() {
        return Err(wrong());
    }
    let heads: Vec<&[u8]> = block[..names_at].chunks_exact(ENTRY).collect();
    let begins: Vec<usize> = heads.iter().map(|head| usize::from(u16_at(head, 8))).collect();
    let mut found = Vec::with_capacity(heads.len());
    for (index, head) in heads.iter().enumerate() {
        let end = begins.get(index + 1).copied().unwrap_or(block.len());
        let mut name = block.get(begins[index]..end).ok_or_else(wrong)?;
        if index + 1 == heads.len() {
            name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        }
        if !matches!(name, b"." | b"..") {
            found.push((check_name(name)?, u64_at(head, 0)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::bytes::Fields as _;

    /// A block of entries that say their names begin there.
    fn block(entries: &[(u64, u16)], names: &[u8]) -> Vec<u8> {
        let mut block = vec![0; entries.len() * ENTRY];
        for (index, (inode, name_at)) in entries.iter().enumerate() {
            block[index * ENTRY..].put_u64(0, *inode);
            block[index * ENTRY..].put_u16(8, *name_at);
        }
        block.extend_from_slice(names);
        block
    }

    #[test]
    fn names_come_with_their_inodes_and_without_the_directorys_own() {
        let bytes = block(&[(1, 48), (2, 49), (3, 51), (4, 52)], b"...abc\0\0");
        assert_eq!(parse(&bytes).expect("good"), [(&b"a"[..], 3), (b"bc", 4)]);
    }

    #[test]
    fn blocks_that_lie_about_their_names_are_refused() {
        for bytes in [
            vec![],
            vec![0; 9],
            vec![0; 64],
            block(&[(1, 11)], b"a"),
            block(&[(1, 13)], b"aa"),
            block(&[(1, 24)], b"a"),
            block(&[(1, 24), (2, 23)], b"ab"),
            block(&[(1, 24), (2, 99)], b"ab"),
            block(&[(1, 24), (2, 24)], b"ab"),
            block(&[(1, 12)], b"a/b"),
            block(&[(1, 12)], &[b'x'; 256]),
            block(&[(1, 24), (2, 27)], b"a\0bc"),
            block(&[(1, 12)], b""),
        ] {
            assert!(parse(&bytes).is_err(), "{bytes:?}");
        }
    }
}
