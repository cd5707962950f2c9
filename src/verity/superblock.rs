//! The superblock at the head of a hash file.
//! It reads no file and trusts nothing: what it says is checked here and then against the root hash (`tree`).
//! Format: cryptsetup's `lib/verity/verity.c` and the kernel's admin-guide/device-mapper/verity.

use crate::image::bytes::Fields as _;
use crate::image::identity::Uuid;

/// Bytes a superblock takes.
pub const SUPERBLOCK_SIZE: usize = 512;
const SIGNATURE: &[u8; 8] = b"verity\0\0";
/// Longest salt a superblock holds.
const SALT_MAX: usize = 256;
/// The block sizes dm-verity takes that a page holds everywhere we run.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 512..=65536;

/// A hash algorithm of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Bytes of a digest; both are powers of two, so a tree holds them without padding.
    pub fn digest_size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// What a superblock says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The hash algorithm.
    pub algorithm: Algorithm,
    /// Bytes of a data block.
    pub data_block: u32,
    /// Bytes of a hash block.
    pub hash_block: u32,
    /// Number of data blocks.
    pub data_blocks: u64,
    /// What each digest begins with.
    pub salt: Vec<u8>,
}

impl Superblock {
    /// Reads a superblock; the error is what is wrong with the hash file, to stand behind its name.
    pub fn parse(bytes: &[u8; SUPERBLOCK_SIZE]) -> Result<Self, String> {
        if &bytes[..8] != SIGNATURE {
            return Err("has no dm-verity superblock".into());
        }
        let (version, hash_type) = (u32_at(bytes, 8), u32_at(bytes, 12));
        if (version, hash_type) != (1, 1) {
            return Err(format!("has superblock version {version}, hash type {hash_type}; only 1, 1 is known"));
        }
        let (data_block, hash_block, data_blocks) = (u32_at(bytes, 64), u32_at(bytes, 68), u64_at(bytes, 72));
        for size in [data_block, hash_block] {
            if !size.is_power_of_two() || !BLOCK_SIZES.contains(&size) {
                return Err(format!("has a superblock with the impossible block size {size}"));
            }
        }
        if data_blocks == 0 || data_blocks > (i64::MAX as u64) / u64::from(data_block) {
            return Err(format!("has a superblock with an impossible number of data blocks, {data_blocks}"));
        }
        let salt = usize::from(u16::from_le_bytes([bytes[80], bytes[81]]));
        if salt > SALT_MAX {
            return Err(format!("has a superblock with a salt of {salt} bytes; it holds {SALT_MAX}"));
        }
        let algorithm = algorithm(&bytes[32..64])?;
        Ok(Self { algorithm, data_block, hash_block, data_blocks, salt: bytes[88..88 + salt].to_vec() })
    }

    /// Writes a superblock, as `veritysetup format` does.
    pub fn to_bytes(&self, uuid: Uuid) -> [u8; SUPERBLOCK_SIZE] {
        let mut bytes = [0; SUPERBLOCK_SIZE];
        bytes.put(0, SIGNATURE);
        // Version, and the hash type that has the salt first.
        bytes.put_u32(8, 1);
        bytes.put_u32(12, 1);
        bytes.put(16, &uuid.0);
        bytes.put(32, self.algorithm.name().as_bytes());
        bytes.put_u32(64, self.data_block);
        bytes.put_u32(68, self.hash_block);
        bytes.put_u64(72, self.data_blocks);
        bytes.put_u16(80, self.salt.len().min(SALT_MAX) as u16);
        bytes.put(88, &self.salt[..self.salt.len().min(SALT_MAX)]);
        bytes
    }

    /// Bytes of data the tree covers.
    pub fn data_size(&self) -> u64 {
        self.data_blocks * u64::from(self.data_block)
    }

    /// The block of the hash file where the tree begins: the first behind the superblock.
    pub fn tree_start(&self) -> u64 {
        (SUPERBLOCK_SIZE as u64).div_ceil(u64::from(self.hash_block))
    }
}

fn algorithm(field: &[u8]) -> Result<Algorithm, String> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    match &field[..end] {
        b"sha256" => Ok(Algorithm::Sha256),
        b"sha512" => Ok(Algorithm::Sha512),
        other => Err(format!("uses the hash {:?}; sha256 and sha512 are known", String::from_utf8_lossy(other))),
    }
}

fn u32_at(bytes: &[u8; SUPERBLOCK_SIZE], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; SUPERBLOCK_SIZE], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A superblock as cryptsetup writes it.
    pub(crate) fn written(data_blocks: u64, salt: &[u8]) -> [u8; SUPERBLOCK_SIZE] {
        let mut bytes = [0; SUPERBLOCK_SIZE];
        bytes[..8].copy_from_slice(SIGNATURE);
        bytes[8] = 1;
        bytes[12] = 1;
        bytes[32..38].copy_from_slice(b"sha256");
        bytes[64..68].copy_from_slice(&4096u32.to_le_bytes());
        bytes[68..72].copy_from_slice(&4096u32.to_le_bytes());
        bytes[72..80].copy_from_slice(&data_blocks.to_le_bytes());
        bytes[80..82].copy_from_slice(&u16::try_from(salt.len()).expect("short salt").to_le_bytes());
        bytes[88..88 + salt.len()].copy_from_slice(salt);
        bytes
    }

    #[test]
    fn a_good_superblock_is_read() {
        let sb = Superblock::parse(&written(7, b"salt")).expect("good superblock");
        assert_eq!((sb.data_blocks, sb.data_size(), sb.tree_start()), (7, 7 * 4096, 1));
        assert_eq!((sb.algorithm, sb.salt.as_slice()), (Algorithm::Sha256, &b"salt"[..]));
    }

    #[test]
    fn what_is_written_is_read() {
        let sb = Superblock::parse(&written(7, b"salt")).expect("good superblock");
        assert_eq!(sb.to_bytes(Uuid([0; 16])), written(7, b"salt"));
        assert_eq!(sb.to_bytes(Uuid([9; 16]))[16..32], [9; 16]);
    }

    #[test]
    fn every_wrong_field_is_refused_with_its_reason() {
        let cases: [(usize, &[u8], &str); 9] = [
            (0, b"V", "no dm-verity superblock"),
            (8, &[2], "version 2"),
            (12, &[0], "hash type 0"),
            (32, b"md5\0", "\"md5\""),
            (64, &[0, 0, 1, 1], "block size"),
            (68, &[1, 0, 0, 0], "block size 1"),
            (72, &[0; 8], "number of data blocks, 0"),
            (72, &[255; 8], "number of data blocks"),
            (80, &[1, 1], "salt of 257"),
        ];
        for (at, with, reason) in cases {
            let mut bytes = written(7, b"");
            bytes[at..at + with.len()].copy_from_slice(with);
            let said = Superblock::parse(&bytes).expect_err(reason);
            assert!(said.contains(reason), "{said}");
        }
    }
}
