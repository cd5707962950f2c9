//! Where a block of a file is, by the block numbers of ext2 and ext3: twelve in the inode, and one to three levels below.
//! It reads no file's bytes.
//! Rules: the kernel's Documentation/filesystems/ext4, "Direct/Indirect Block Addressing".

use super::{Nodes, Reader, Root, Run};
use crate::image::bytes::u32_at;
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

/// Numbers in the inode that are of the file's own blocks.
const DIRECT: u64 = 12;
/// Levels below the inode.
const LEVELS: u32 = 3;

/// The blocks from one on.
pub(super) fn find<D: ReadAt>(image: &Reader<D>, root: &Root, nodes: &mut Nodes, wanted: u64) -> io::Result<Run> {
    if wanted < DIRECT {
        return Ok(run(&root[..DIRECT as usize * 4], wanted as usize));
    }
    let numbers = image.sb.block() / 4;
    let mut index = wanted - DIRECT;
    for depth in 1..=LEVELS {
        let reach = numbers.pow(depth);
        if index < reach {
            let top = u32_at(root, (DIRECT as usize + depth as usize - 1) * 4);
            return below(image, nodes, top, index, reach);
        }
        index -= reach;
    }
    Err(bad("a file is longer than its blocks can be"))
}

/// Goes down from a block of numbers that reaches over so many of the file's.
fn below<D: ReadAt>(image: &Reader<D>, nodes: &mut Nodes, top: u32, index: u64, reach: u64) -> io::Result<Run> {
    let numbers = image.sb.block() / 4;
    let (mut number, mut index, mut reach) = (top, index, reach);
    for level in 0.. {
        if number == 0 {
            return Ok(Run { place: None, blocks: reach - index });
        }
        let block = nodes.block(image, level, u64::from(number))?;
        reach /= numbers;
        if reach == 1 {
            return Ok(run(block, index as usize));
        }
        number = u32_at(block, (index / reach) as usize * 4);
        index %= reach;
    }
    Err(bad("a file's map is not as it must be"))
}

/// How many numbers follow each other from one on, or are zero.
fn run(numbers: &[u8], index: usize) -> Run {
    let first = u64::from(u32_at(numbers, index * 4));
    let rest = numbers[index * 4..].chunks_exact(4).map(|number| u64::from(u32_at(number, 0)));
    let same = rest.enumerate().take_while(|(after, number)| match first {
        0 => *number == 0,
        _ => *number == first + *after as u64,
    });
    Run { place: (first != 0).then_some(first), blocks: same.count() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_one_run() {
        let numbers: Vec<u8> = [7u32, 8, 9, 0, 0, 11].iter().flat_map(|number| number.to_le_bytes()).collect();
        let found: Vec<_> = (0..6).map(|index| run(&numbers, index)).map(|run| (run.place, run.blocks)).collect();
        assert_eq!(found, [(Some(7), 3), (Some(8), 2), (Some(9), 1), (None, 2), (None, 1), (Some(11), 1)]);
    }
}
