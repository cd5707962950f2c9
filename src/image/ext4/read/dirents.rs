//! The names in one block of a directory of an ext4 image that is there.
//! It follows none of them; blocks of an index look like blocks without names, as they do to ext2.
//! Rules: the kernel's Documentation/filesystems/ext4, "Directory Entries".

use crate::image::bytes::{u16_at, u32_at};
use crate::image::read::check_name;
use crate::layer::fault::bad;
use std::io;

/// Bytes of an entry before its name.
const ENTRY: usize = 8;

/// The names of a block and the numbers of their inodes; the directory's own two are left out.
pub(super) fn parse(block: &[u8]) -> io::Result<Vec<(&[u8], u64)>> {
    let (mut rest, mut found) = (block, Vec::new());
    while !rest.is_empty() {
        let (entry, behind) = split(rest).ok_or_else(|| bad("a directory's block is not as it must be"))?;
        let (number, length) = (u32_at(entry, 0), usize::from(entry[6]));
        let name = entry.get(ENTRY..ENTRY + length).ok_or_else(|| bad("a directory's name is cut off"))?;
        if number != 0 && !matches!(name, b"." | b"..") {
            found.push((check_name(name)?, u64::from(number)));
        }
        rest = behind;
    }
    Ok(found)
}

/// The first entry, and what stands behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let said = bytes.get(4..6).map(|field| usize::from(u16_at(field, 0)))?;
    // What 16 bits cannot say: all of a block of 64 KiB.
    let length = if matches!(said, 0 | 0xffff) { 1 << 16 } else { said };
    (length >= ENTRY && length % 4 == 0).then(|| bytes.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32, length: u16, name: &[u8]) -> Vec<u8> {
        let head = [&number.to_le_bytes()[..], &length.to_le_bytes(), &[name.len() as u8, 1]].concat();
        let mut entry = [head, name.to_vec()].concat();
        entry.resize(usize::from(length), 0);
        entry
    }

    #[test]
    fn names_come_with_their_inodes_and_deleted_ones_do_not() {
        let block = [entry(2, 12, b"."), entry(2, 12, b".."), entry(0, 12, b"gone"), entry(9, 16, b"there")].concat();
        assert_eq!(parse(&block).expect("good"), [(&b"there"[..], 9)]);
    }

    #[test]
    fn blocks_that_lie_about_their_entries_are_refused() {
        for block in [vec![0; 7], vec![0; 64], entry(1, 8, b"")[..].into(), entry(1, 12, b"a/b"), entry(1, 12, b"\0")] {
            assert!(parse(&block).is_err(), "{block:?}");
        }
        let mut long = entry(1, 12, b"abc");
        long[6] = 9;
        assert!(parse(&long).is_err());
        long[4] = 13;
        assert!(parse(&long).is_err());
    }
}
