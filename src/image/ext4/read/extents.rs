//! Where a block of a file is, by the file's extent tree.
//! It goes down from the root once for each question; nodes that were read last are kept.
//! Rules: the kernel's Documentation/filesystems/ext4, "Extent Tree"; extents that are not written yet are holes.

use super::{Nodes, Reader, Root, Run};
use crate::image::bytes::{u16_at, u32_at};
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

const HEAD: usize = 12;
const ENTRY: usize = 12;
const MAGIC: u16 = 0xf30a;
/// No tree of 2^32 blocks is deeper (`EXT4_MAX_EXTENT_DEPTH`).
const DEPTH_MAX: u16 = 5;
/// Lengths above this are of extents that are not written yet.
const WRITTEN_MAX: u16 = 32_768;

/// The blocks from one on.
pub(super) fn find<D: ReadAt>(image: &Reader<D>, root: &Root, nodes: &mut Nodes, wanted: u64) -> io::Result<Run> {
    let mut node: &[u8] = root;
    let mut bound = u64::MAX;
    let mut depth = None;
    for level in 0.. {
        let (entries, here) = entries(node)?;
        if depth.is_some_and(|above: u16| above != here + 1) || here > DEPTH_MAX {
            return Err(wrong());
        }
        depth = Some(here);
        let behind = entries.clone().map(logical).find(|logical| *logical > wanted);
        bound = behind.unwrap_or(bound).min(bound);
        let Some(entry) = entries.take_while(|entry| logical(entry) <= wanted).last() else { break };
        if here == 0 {
            return Ok(leaf(entry, wanted, bound));
        }
        let below = u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32;
        node = nodes.block(image, level, below)?;
    }
    Ok(Run { place: None, blocks: bound - wanted })
}

/// The entries of a node, and how far it is above the leaves.
fn entries(node: &[u8]) -> io::Result<(impl Iterator<Item = &[u8]> + Clone, u16)> {
    let count = usize::from(u16_at(node, 2));
    let all = node.get(HEAD..HEAD + count * ENTRY).filter(|_| u16_at(node, 0) == MAGIC);
    Ok((all.ok_or_else(wrong)?.chunks_exact(ENTRY), u16_at(node, 6)))
}

fn logical(entry: &[u8]) -> u64 {
    u64::from(u32_at(entry, 0))
}

/// What is left of an extent behind what is wanted, or the hole behind it.
fn leaf(entry: &[u8], wanted: u64, bound: u64) -> Run {
    let length = u16_at(entry, 4);
    let (count, written) = if length > WRITTEN_MAX { (length - WRITTEN_MAX, false) } else { (length, true) };
    let within = wanted - logical(entry);
    if within >= u64::from(count) {
        return Run { place: None, blocks: bound - wanted };
    }
    let first = u64::from(u32_at(entry, 8)) | u64::from(u16_at(entry, 6)) << 32;
    let blocks = (u64::from(count) - within).min(bound - wanted);
    Run { place: written.then_some(first + within), blocks }
}

fn wrong() -> io::Error {
    bad("a file's extents are not as they must be")
}
