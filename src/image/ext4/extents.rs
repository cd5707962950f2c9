//! The extents of a file: which of its blocks are where, as a tree whose root is in the inode.
//! It allocates nothing: the blocks of the tree are the caller's to place.
//! Rules: the kernel's Documentation/filesystems/ext4, "Extent Tree"; written extents have at most 32,768 blocks.

use crate::image::bytes::Fields as _;
use crate::verity::build::BLOCK;
use std::io;
use std::ops::Range;

/// Blocks of a file, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) logical: u64,
    pub(super) physical: u64,
    pub(super) count: u64,
}

/// Bytes of the root in the inode.
pub(super) const ROOT: usize = 60;
const HEAD: usize = 12;
const ENTRY: usize = 12;
const COUNT_MAX: u64 = 32_768;
const MAGIC: u16 = 0xf30a;

/// An entry of any level: a range of the file's blocks, and where it or the level below is.
type Entry = [u8; ENTRY];

/// Extents of stretches of a file's blocks that lie in these pieces, one behind the other.
pub(super) fn extents(runs: &[Range<u64>], pieces: &[Range<u64>]) -> Vec<Extent> {
    let mut extents = Vec::new();
    let mut pieces = pieces.iter().cloned();
    let mut piece = pieces.next().unwrap_or(0..0);
    for run in runs {
        let mut logical = run.start;
        while logical < run.end {
            if piece.is_empty() {
                let Some(next) = pieces.next() else { return extents };
                piece = next;
            }
            let count = (run.end - logical).min(piece.end - piece.start).min(COUNT_MAX);
            extents.push(Extent { logical, physical: piece.start, count });
            logical += count;
            piece.start += count;
        }
    }
    extents
}

/// The root, and the blocks of the tree below it: each is given its place by `place`.
pub(super) fn tree(
    extents: &[Extent],
    mut place: impl FnMut(&[u8; BLOCK]) -> io::Result<u64>,
) -> io::Result<[u8; ROOT]> {
    let mut entries: Vec<Entry> = extents.iter().map(leaf).collect::<io::Result<_>>()?;
    let mut depth = 0;
    while entries.len() > (ROOT - HEAD) / ENTRY {
        let mut above = Vec::new();
        for part in entries.chunks((BLOCK - HEAD) / ENTRY) {
            let mut block = [0; BLOCK];
            fill(&mut block, part, depth);
            above.push(index(&part[0], place(&block)?)?);
        }
        entries = above;
        depth += 1;
    }
    let mut root = [0; ROOT];
    fill(&mut root, &entries, depth);
    Ok(root)
}

fn fill(node: &mut [u8], entries: &[Entry], depth: u16) {
    node.put_u16(0, MAGIC);
    node.put_u16(2, entries.len() as u16);
    node.put_u16(4, ((node.len() - HEAD) / ENTRY) as u16);
    node.put_u16(6, depth);
    entries.iter().enumerate().for_each(|(at, entry)| node.put(HEAD + at * ENTRY, entry));
}

fn leaf(extent: &Extent) -> io::Result<Entry> {
    let mut entry = [0; ENTRY];
    entry.put_u32(0, number(extent.logical)?);
    entry.put_u16(4, extent.count as u16);
    entry.put_u32(8, number(extent.physical)?);
    Ok(entry)
}

fn index(first: &Entry, block: u64) -> io::Result<Entry> {
    let mut entry = [0; ENTRY];
    entry.put(0, &first[..4]);
    entry.put_u32(4, number(block)?);
    Ok(entry)
}

fn number(block: u64) -> io::Result<u32> {
    u32::try_from(block).map_err(|_| too_large())
}

/// The error for a block beyond the last.
pub(super) fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "no file and no image of ext4 is over 16 TiB here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_end_where_a_run_a_piece_or_the_longest_ends() {
        let found = extents(&[0..10, 20..100_000], &[50..55, 90..200_000]);
        let each: Vec<_> = found.iter().map(|extent| (extent.logical, extent.physical, extent.count)).collect();
        assert_eq!(
            each,
            [
                (0, 50, 5),
                (5, 90, 5),
                (20, 95, 32_768),
                (32_788, 32_863, 32_768),
                (65_556, 65_631, 32_768),
                (98_324, 98_399, 1676)
            ]
        );
        assert_eq!(extents(&[], &[]), []);
    }

    #[test]
    fn a_tree_is_as_deep_as_it_must_be() {
        for (count, depth, blocks) in [(0, 0, 0), (4, 0, 0), (5, 1, 1), (1360, 1, 4), (1361, 2, 6)] {
            let all: Vec<_> = (0..count).map(|n| Extent { logical: n * 2, physical: 7 + n, count: 1 }).collect();
            let mut placed = 0;
            let root = tree(&all, |_| {
                placed += 1;
                Ok(1000 + placed)
            });
            assert_eq!((root.expect("tree")[6], placed), (depth, blocks), "{count}");
        }
        let beyond = Extent { logical: 1 << 32, physical: 0, count: 1 };
        assert!(tree(&[beyond], |_| Ok(0)).is_err());
    }
}
