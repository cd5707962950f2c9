//! The hash tree, checked from its root hash down.
//! It opens nothing and never repairs; the kernel checks every block again when it is read.
//! Layout: the kernel's `verity_ctr` (drivers/md/dm-verity-target.c), cryptsetup's `verity_hash.c`.

use super::superblock::{Algorithm, Superblock};
use sha2::{Digest, Sha256, Sha512};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that can be read at an offset, from several threads at once.
pub trait ReadAt: Sync {
    /// Fills the buffer, or says why not; `UnexpectedEof` if it ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let begin = usize::try_from(offset).map_err(io::Error::other)?;
        let from = begin.checked_add(buffer.len()).and_then(|end| self.get(begin..end));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_at(buffer, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self[..].read_at(buffer, offset)
    }
}

/// What is wrong with a tree or its data.
#[derive(Debug)]
pub enum TreeFault {
    /// The top of the tree does not have the root hash.
    Root,
    /// A block of the hash file does not have the digest above it.
    HashBlock(u64),
    /// A data block does not have its digest.
    DataBlock(u64),
    /// The superblock's number of data blocks is not the tree's.
    Count,
    /// The hash file ends before the tree does.
    TreeTruncated,
    /// The image ends before its last block.
    DataTruncated,
    /// Reading the hash file went wrong.
    ReadTree(io::Error),
    /// Reading the image went wrong.
    ReadData(io::Error),
}

/// The sizes and places of a tree's levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Per level, from the top: its first block in the hash file and how many it has.
    levels: Vec<Range<u64>>,
    /// Digests in a hash block.
    fan_out: u64,
}

impl Shape {
    /// The shape of the tree a superblock describes.
    pub fn of(sb: &Superblock) -> Self {
        let fan_out = u64::from(sb.hash_block) / sb.algorithm.digest_size() as u64;
        let mut sizes = Vec::new();
        let mut below = sb.data_blocks;
        while below > 1 {
            below = below.div_ceil(fan_out);
            sizes.push(below);
        }
        let mut start = sb.tree_start();
        let levels = sizes.iter().rev().map(|size| {
            let level = start..start + size;
            start = level.end;
            level
        });
        Self { levels: levels.collect(), fan_out }
    }

    /// The first block behind the tree.
    pub fn end(&self, sb: &Superblock) -> u64 {
        self.levels.last().map_or(sb.tree_start(), |level| level.end)
    }
}

/// A tree whose upper levels are checked and whose lowest can be, in any order and by several threads.
#[derive(Debug)]
pub struct Tree<'a, T: ReadAt + ?Sized> {
    file: &'a T,
    sb: &'a Superblock,
    shape: Shape,
    /// The digests of the lowest level's blocks; the root hash if there is one block or none.
    above: Vec<u8>,
}

impl<'a, T: ReadAt + ?Sized> Tree<'a, T> {
    /// Reads all levels but the lowest, each against the one above it, the first against the root hash.
    pub fn open(file: &'a T, sb: &'a Superblock, root: &[u8]) -> Result<Self, TreeFault> {
        let mut tree = Self { file, sb, shape: Shape::of(sb), above: root.to_vec() };
        if root.len() != sb.algorithm.digest_size() {
            return Err(TreeFault::Root);
        }
        for level in 0..tree.shape.levels.len().saturating_sub(1) {
            let mut content = Vec::new();
            let blocks = tree.shape.levels[level].clone();
            tree.check_level(level, 0..blocks.end - blocks.start, |_, block| {
                content.extend_from_slice(block);
                Ok(())
            })?;
            tree.check_padding(&content, tree.entries(level))?;
            tree.above = content;
        }
        Ok(tree)
    }

    /// Number of blocks in the lowest level; 1 for an image of a single block, which has no level.
    pub fn leaves(&self) -> u64 {
        self.shape.levels.last().map_or(1, |level| level.end - level.start)
    }

    /// Checks these blocks of the lowest level.
    pub fn check_leaves(&self, leaves: Range<u64>) -> Result<(), TreeFault> {
        self.each_leaf(leaves, |_, _| Ok(()))
    }

    /// Checks these blocks of the lowest level and all data below them.
    pub fn check_data<D: ReadAt + ?Sized>(&self, leaves: Range<u64>, data: &D) -> Result<(), TreeFault> {
        let mut buffer = Vec::new();
        if self.shape.levels.is_empty() {
            return self.check_data_blocks(data, 0, &self.above, &mut buffer);
        }
        self.each_leaf(leaves, |leaf, digests| {
            self.check_data_blocks(data, leaf * self.shape.fan_out, digests, &mut buffer)
        })
    }

    fn each_leaf(
        &self,
        leaves: Range<u64>,
        mut also: impl FnMut(u64, &[u8]) -> Result<(), TreeFault>,
    ) -> Result<(), TreeFault> {
        let Some(lowest) = self.shape.levels.len().checked_sub(1) else {
            return Ok(());
        };
        let last = self.leaves() - 1;
        self.check_level(lowest, leaves, |leaf, block| {
            if leaf == last {
                self.check_padding(block, self.sb.data_blocks - last * self.shape.fan_out)?;
            }
            also(leaf, block)
        })
    }

    /// Reads blocks of a level in large pieces, compares each with its digest above, hands each on.
    fn check_level(
        &self,
        level: usize,
        blocks: Range<u64>,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), TreeFault>,
    ) -> Result<(), TreeFault> {
        let size = self.sb.hash_block as usize;
        let digest_size = self.sb.algorithm.digest_size();
        let per_read = (READ_SIZE / size).max(1);
        let mut buffer = vec![0; per_read.min((blocks.end - blocks.start) as usize) * size];
        let start = self.shape.levels[level].start;
        for first in blocks.clone().step_by(per_read) {
            let count = (blocks.end - first).min(per_read as u64) as usize;
            let piece = &mut buffer[..count * size];
            self.file.read_at(piece, (start + first) * size as u64).map_err(tree_error)?;
            for (index, block) in (first..).zip(piece.chunks_exact(size)) {
                let wanted = &self.above[index as usize * digest_size..][..digest_size];
                if !has_digest(self.sb, block, wanted) {
                    return Err(if level == 0 { TreeFault::Root } else { TreeFault::HashBlock(start + index) });
                }
                each(index, block)?;
            }
        }
        Ok(())
    }

    fn check_data_blocks<D: ReadAt + ?Sized>(
        &self,
        data: &D,
        first: u64,
        digests: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(), TreeFault> {
        let size = self.sb.data_block as usize;
        let count = (self.sb.data_blocks - first).min(self.shape.fan_out) as usize;
        buffer.resize(count * size, 0);
        data.read_at(buffer, first * size as u64).map_err(data_error)?;
        let digests = digests.chunks_exact(self.sb.algorithm.digest_size());
        for ((index, block), wanted) in (first..).zip(buffer.chunks_exact(size)).zip(digests) {
            if !has_digest(self.sb, block, wanted) {
                return Err(TreeFault::DataBlock(index));
            }
        }
        Ok(())
    }

    /// Digests that a level holds.
    fn entries(&self, level: usize) -> u64 {
        self.shape.levels.get(level + 1).map_or(self.sb.data_blocks, |below| below.end - below.start)
    }

    /// Behind the last digest a block is zero, before it never: so the tree itself says how many blocks it covers,
    /// and the superblock, which nothing signs, cannot say another number.
    fn check_padding(&self, blocks: &[u8], entries: u64) -> Result<(), TreeFault> {
        let digest_size = self.sb.algorithm.digest_size();
        let (used, padding) = blocks.split_at(entries as usize * digest_size);
        let last = &used[used.len() - digest_size..];
        if padding.iter().any(|byte| *byte != 0) || last.iter().all(|byte| *byte == 0) {
            return Err(TreeFault::Count);
        }
        Ok(())
    }
}

/// How much is read at once.
const READ_SIZE: usize = 256 << 10;

/// Checks the lowest level and all data with as many threads, telling now and then how many leaves are done.
pub fn check_all<T, D>(
    tree: &Tree<'_, T>,
    data: &D,
    threads: usize,
    mut progress: impl FnMut(u64),
) -> Result<(), TreeFault>
where
    T: ReadAt + ?Sized,
    D: ReadAt + ?Sized,
{
    let next = AtomicU64::new(0);
    let (report, reports) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (report, next) = (report.clone(), &next);
            scope.spawn(move || {
                while let Some(leaves) = take_leaves(next, tree.leaves()) {
                    let done = leaves.end - leaves.start;
                    let result = tree.check_data(leaves, data).map(|()| done);
                    if result.is_err() {
                        // The others find nothing left to do.
                        next.store(u64::MAX, Ordering::Relaxed);
                    }
                    // The receiver lives until all threads have ended.
                    drop(report.send(result));
                }
            });
        }
        drop(report);
        let mut done = 0;
        let mut first_fault = Ok(());
        for result in reports {
            match result {
                Ok(leaves) => {
                    done += leaves;
                    progress(done);
                }
                Err(fault) if first_fault.is_ok() => first_fault = Err(fault),
                Err(_) => {}
            }
        }
        first_fault
    })
}

/// Leaves taken at a time: 8 MiB of data with the usual sizes.
const LEAVES_TAKEN: u64 = 16;

fn take_leaves(next: &AtomicU64, all: u64) -> Option<Range<u64>> {
    let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |begin| {
        (begin < all).then(|| (begin + LEAVES_TAKEN).min(all))
    });
    taken.ok().map(|begin| begin..(begin + LEAVES_TAKEN).min(all))
}

fn has_digest(sb: &Superblock, block: &[u8], wanted: &[u8]) -> bool {
    match sb.algorithm {
        Algorithm::Sha256 => Sha256::new_with_prefix(&sb.salt).chain_update(block).finalize().as_slice() == wanted,
        Algorithm::Sha512 => Sha512::new_with_prefix(&sb.salt).chain_update(block).finalize().as_slice() == wanted,
    }
}

fn tree_error(error: io::Error) -> TreeFault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => TreeFault::TreeTruncated,
        _ => TreeFault::ReadTree(error),
    }
}

fn data_error(error: io::Error) -> TreeFault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => TreeFault::DataTruncated,
        _ => TreeFault::ReadData(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root_hash::RootHash;
    use crate::verity::superblock::SUPERBLOCK_SIZE;
    use std::process::Command;

    struct Made {
        data: Vec<u8>,
        tree: Vec<u8>,
        root: Vec<u8>,
        sb: Superblock,
    }

    /// A tree by cryptsetup, the reference; without it there is nothing to test against, so its absence fails.
    fn made(blocks: usize, hash: &str, hash_block: u32) -> Made {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (image, tree) = (dir.path().join("data"), dir.path().join("tree"));
        let data: Vec<u8> = (0..blocks * 4096).map(|at| (at / 4096 * 7 + at % 251) as u8).collect();
        std::fs::write(&image, &data).expect("write data");
        let out = Command::new("veritysetup")
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .args(["format", "--salt=00112233", &format!("--hash={hash}"), &format!("--hash-block-size={hash_block}")])
            .args([&image, &tree])
            .output()
            .expect("veritysetup must be installed (cryptsetup-bin)");
        let said = String::from_utf8(out.stdout).expect("text");
        let root = said.lines().find_map(|line| line.strip_prefix("Root hash:")).expect(&said).trim();
        let tree = std::fs::read(&tree).expect("read tree");
        let head: [u8; SUPERBLOCK_SIZE] = tree[..SUPERBLOCK_SIZE].try_into().expect("a superblock");
        let sb = Superblock::parse(&head).expect("good superblock");
        Made { data, root: RootHash::parse(root).expect("root hash").to_bytes(), sb, tree }
    }

    fn check_tree(made: &Made) -> Result<(), TreeFault> {
        let tree = Tree::open(&made.tree[..], &made.sb, &made.root)?;
        tree.check_leaves(0..tree.leaves())
    }

    fn check_everything(made: &Made, threads: usize) -> Result<u64, TreeFault> {
        let tree = Tree::open(&made.tree[..], &made.sb, &made.root)?;
        let mut done = 0;
        check_all(&tree, &made.data[..], threads, |leaves| done = leaves).map(|()| done)
    }

    #[test]
    fn what_veritysetup_made_is_good_in_every_shape() {
        for (blocks, hash, hash_block) in [
            (1, "sha256", 4096),
            (2, "sha256", 4096),
            (128, "sha256", 4096),
            (129, "sha256", 4096),
            (300, "sha512", 4096),
            (300, "sha256", 512),
            (17000, "sha256", 4096),
        ] {
            let made = made(blocks, hash, hash_block);
            check_tree(&made).unwrap_or_else(|fault| panic!("{blocks} {hash} {hash_block}: {fault:?}"));
            for threads in [1, 3] {
                let done = check_everything(&made, threads).expect("good data");
                assert_eq!(done, Tree::open(&made.tree[..], &made.sb, &made.root).expect("good").leaves());
            }
            let end = Shape::of(&made.sb).end(&made.sb) * u64::from(hash_block);
            assert_eq!(end.max(u64::from(hash_block)), made.tree.len() as u64);
        }
    }

    #[test]
    fn a_flipped_bit_at_every_level_is_found_and_named() {
        // Three levels: 1, 2 and 133 blocks.
        let mut made = made(17000, "sha256", 4096);
        for (block, byte) in [(1, 0), (1, 4095), (2, 7), (3, 4000), (4, 0), (70, 11), (136, 4095)] {
            made.tree[block * 4096 + byte] ^= 1;
            let fault = check_tree(&made).expect_err("damaged tree");
            match fault {
                TreeFault::Root => assert_eq!(block, 1),
                TreeFault::HashBlock(at) => assert_eq!(at, block as u64),
                other => panic!("{block}: {other:?}"),
            }
            made.tree[block * 4096 + byte] ^= 1;
        }
        check_tree(&made).expect("restored");
    }

    #[test]
    fn a_flipped_bit_in_data_is_found_by_the_full_check_only() {
        let mut made = made(300, "sha256", 4096);
        for block in [0, 128, 299] {
            made.data[block * 4096 + 9] ^= 4;
            check_tree(&made).expect("the tree is good");
            assert!(matches!(check_everything(&made, 2), Err(TreeFault::DataBlock(at)) if at == block as u64));
            made.data[block * 4096 + 9] ^= 4;
        }
    }

    #[test]
    fn another_root_hash_salt_or_count_never_fits() {
        let mut made = made(300, "sha256", 4096);
        made.root[0] ^= 1;
        assert!(matches!(check_tree(&made), Err(TreeFault::Root)));
        made.root[0] ^= 1;
        made.sb.salt[0] ^= 1;
        assert!(matches!(check_tree(&made), Err(TreeFault::Root)));
        made.sb.salt[0] ^= 1;
        for blocks in [257, 299, 301, 384] {
            made.sb.data_blocks = blocks;
            assert!(matches!(check_tree(&made), Err(TreeFault::Count)), "{blocks}");
        }
    }

    #[test]
    fn a_short_tree_or_image_has_a_fault_of_its_own() {
        let mut made = made(300, "sha256", 4096);
        made.data.truncate(299 * 4096);
        assert!(matches!(check_everything(&made, 2), Err(TreeFault::DataTruncated)));
        made.tree.truncate(made.tree.len() - 1);
        assert!(matches!(check_tree(&made), Err(TreeFault::TreeTruncated)));
    }
}
