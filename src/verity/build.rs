//! The hash tree, made: digests of blocks, the levels above them, the hash file and the root hash.
//! It opens nothing and trusts nothing it has read back; checking a tree is `tree`'s.
//! Layout: the kernel's admin-guide/device-mapper/verity, cryptsetup's `verity_hash.c` (version 1: the salt comes first).

use super::superblock::{Algorithm, Superblock};
use super::tree::ReadAt;
use crate::image::identity::Uuid;
use crate::root_hash::RootHash;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::{Mutex, PoisonError};

/// Bytes of a data block and of a hash block in the trees we make.
pub const BLOCK: usize = 4096;
const DIGEST: usize = 32;

/// The digests of an image's blocks, in any order until all are there.
#[derive(Clone, Debug)]
pub struct Leaves {
    salt: [u8; 32],
    salted: Sha256,
    digests: Vec<u8>,
}

/// A tree, made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The root hash.
    pub root: RootHash,
    /// The hash file: superblock and levels, the uppermost first.
    pub file: Vec<u8>,
}

impl Leaves {
    /// No digests yet.
    pub fn new(salt: [u8; 32]) -> Self {
        Self { salt, salted: Sha256::new_with_prefix(salt), digests: Vec::new() }
    }

    /// Takes whole blocks, the first with this number; what was said of them before is forgotten.
    pub fn set(&mut self, first: u64, blocks: &[u8]) -> io::Result<()> {
        let begin = usize::try_from(first).map_err(io::Error::other)? * DIGEST;
        let end = begin + blocks.len() / BLOCK * DIGEST;
        if self.digests.len() < end {
            self.digests.resize(end, 0);
        }
        fill(&self.salted, blocks, &mut self.digests[begin..end]);
        Ok(())
    }

    /// Forgets all blocks behind this many.
    pub fn truncate(&mut self, blocks: u64) {
        self.digests.truncate(usize::try_from(blocks).map_or(usize::MAX, |blocks| blocks * DIGEST));
    }

    /// Reads a whole image of so many blocks, with so many threads.
    pub fn read<D: ReadAt + ?Sized>(salt: [u8; 32], data: &D, blocks: u64, threads: usize) -> io::Result<Self> {
        let mut leaves = Self::new(salt);
        leaves.digests = vec![0; usize::try_from(blocks).map_err(io::Error::other)? * DIGEST];
        let pieces = Mutex::new(leaves.digests.chunks_mut(BLOCKS_READ * DIGEST).zip(0u64..));
        let work = || -> io::Result<()> {
            let mut buffer = vec![0; BLOCKS_READ * BLOCK];
            let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some((digests, index)) = next() {
                let bytes = &mut buffer[..digests.len() / DIGEST * BLOCK];
                data.read_at(bytes, index * (BLOCKS_READ * BLOCK) as u64)?;
                fill(&leaves.salted, bytes, digests);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            let joined = |other: std::thread::ScopedJoinHandle<'_, io::Result<()>>| {
                other.join().unwrap_or_else(|_| Err(io::Error::other("a thread that hashes blocks died")))
            };
            others.into_iter().map(joined).fold(own, io::Result::and)
        })?;
        Ok(leaves)
    }

    /// Makes the tree over them.
    pub fn build(self, uuid: Uuid) -> io::Result<Built> {
        let sb = Superblock {
            algorithm: Algorithm::Sha256,
            data_block: BLOCK as u32,
            hash_block: BLOCK as u32,
            data_blocks: (self.digests.len() / DIGEST) as u64,
            salt: self.salt.to_vec(),
        };
        if sb.data_blocks == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty image has no hash tree"));
        }
        let mut levels = vec![self.digests];
        while levels.last().is_some_and(|level| level.len() > DIGEST) {
            let below = levels.pop().map(padded).unwrap_or_default();
            let mut above = vec![0; below.len() / BLOCK * DIGEST];
            fill(&self.salted, &below, &mut above);
            levels.extend([below, above]);
        }
        let root = levels.pop().unwrap_or_default();
        let mut file = padded(sb.to_bytes(uuid).to_vec());
        levels.iter().rev().for_each(|level| file.extend_from_slice(level));
        Ok(Built { root: RootHash::of_bytes(&root), file })
    }
}

/// Blocks read at once: large enough that reading costs little, small enough for the processor's cache.
const BLOCKS_READ: usize = 64;

fn fill(salted: &Sha256, blocks: &[u8], digests: &mut [u8]) {
    for (block, digest) in blocks.chunks_exact(BLOCK).zip(digests.chunks_exact_mut(DIGEST)) {
        digest.copy_from_slice(&salted.clone().chain_update(block).finalize());
    }
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const UUID: &str = "00112233-4455-8677-8899-aabbccddeeff";

    fn uuid() -> Uuid {
        Uuid([0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x86, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff])
    }

    /// What cryptsetup, the reference, makes of the same data.
    fn by_veritysetup(data: &[u8], salt: &[u8; 32]) -> Built {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (image, tree) = (dir.path().join("data"), dir.path().join("tree"));
        std::fs::write(&image, data).expect("write data");
        let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
        let out = Command::new("veritysetup")
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .args(["format", &format!("--salt={salt}"), &format!("--uuid={UUID}")])
            .args([&image, &tree])
            .output()
            .expect("veritysetup must be installed (cryptsetup-bin)");
        let said = String::from_utf8(out.stdout).expect("text");
        let root = said.lines().find_map(|line| line.strip_prefix("Root hash:")).expect(&said).trim();
        Built { root: RootHash::parse(root).expect("root hash"), file: std::fs::read(&tree).expect("read tree") }
    }

    #[test]
    fn trees_are_those_of_veritysetup_byte_for_byte() {
        let salt = std::array::from_fn(|index| index as u8);
        for blocks in [1, 2, 128, 129, 300, 128 * 128 + 1] {
            let data: Vec<u8> = (0..blocks * BLOCK).map(|at| (at / BLOCK * 7 + at % 251) as u8).collect();
            let wanted = by_veritysetup(&data, &salt);
            for threads in [1, 2] {
                let read = Leaves::read(salt, &data[..], blocks as u64, threads).expect("read");
                assert!(read.build(uuid()).expect("built") == wanted, "{blocks} blocks, {threads} threads");
            }
            let mut set = Leaves::new(salt);
            set.set(blocks as u64, &[1; BLOCK]).expect("set");
            set.truncate(blocks as u64);
            let (head, tail) = data.split_at(blocks / 2 * BLOCK);
            set.set((blocks / 2) as u64, tail).expect("set");
            set.set(0, head).expect("set");
            assert!(set.build(uuid()).expect("built") == wanted, "{blocks} blocks in two parts");
        }
    }

    #[test]
    fn no_blocks_make_no_tree() {
        assert!(Leaves::new([0; 32]).build(uuid()).is_err());
    }
}
