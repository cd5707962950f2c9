//! Directories of ext4: blocks of entries, one behind the other, without an index.
//! It knows no inode but by its number.
//! Rules: the kernel's Documentation/filesystems/ext4, "Linear (Classic) Directories".

use crate::image::bytes::Fields as _;
use crate::verity::build::BLOCK;

/// Bytes of an entry before its name.
const ENTRY: usize = 8;

/// An entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dirent<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: u32,
    /// `FT_…` of the kernel's fs_types.h.
    pub(super) kind: u8,
}

/// The directory's blocks; its own two names are the first of the entries.
pub(super) fn encode<'a>(entries: impl Iterator<Item = Dirent<'a>>) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut last = 0;
    for entry in entries {
        let size = ENTRY + entry.name.len().next_multiple_of(4);
        if bytes.len() % BLOCK + size > BLOCK {
            close(&mut bytes, last);
        }
        last = bytes.len();
        bytes.resize(last + size, 0);
        let record = &mut bytes[last..];
        record.put_u32(0, entry.inode);
        record.put_u16(4, size as u16);
        record[6] = entry.name.len() as u8;
        record[7] = entry.kind;
        record.put(ENTRY, entry.name);
    }
    close(&mut bytes, last);
    bytes
}

/// The last entry of a block reaches to its end.
fn close(bytes: &mut Vec<u8>, last: usize) {
    let end = bytes.len().next_multiple_of(BLOCK);
    if end > bytes.len() {
        bytes.resize(end, 0);
        bytes.put_u16(last + 4, (end - last) as u16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::bytes::u16_at;

    #[test]
    fn entries_fill_every_block() {
        for length in [1, 4, 5, 248, 255] {
            let names: Vec<_> = (0..500).map(|index: usize| vec![index as u8 | 1; length]).collect();
            let bytes = encode(names.iter().map(|name| Dirent { name, inode: 7, kind: 1 }));
            let (mut at, mut count) = (0, 0);
            while at < bytes.len() {
                let size = usize::from(u16_at(&bytes, at + 4));
                assert!(size >= ENTRY + length && at / BLOCK == (at + size - 1) / BLOCK);
                at += size;
                count += 1;
            }
            assert_eq!((at, count), (bytes.len(), 500));
        }
    }
}
