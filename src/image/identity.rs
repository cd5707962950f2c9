//! What tells one image from another and is random elsewhere: UUIDs and the salt of the hash tree, drawn from the source.
//! It knows neither the source nor the image: the same seed gives the same values on any machine, any day.
//! UUIDs are version 8 (RFC 9562, "vendor-specific"); each value has a purpose of its own in its digest.

use sha2::{Digest, Sha256};
use std::fmt;

/// A UUID, in the order of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Where an image's identity comes from: the digest of its source and of the options that change its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

/// What a drawn value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The file system's UUID.
    FileSystem,
    /// The hash tree's UUID.
    HashTree,
    /// The hash tree's salt.
    Salt,
    /// The seed of the file system's hashed directories.
    DirectoryHash,
    /// The UUID of the journal's or the disk's own.
    Disk,
    /// The partition that holds the signature.
    SignaturePartition,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::FileSystem => "file system",
            Self::HashTree => "hash tree",
            Self::Salt => "salt",
            Self::DirectoryHash => "directory hash",
            Self::Disk => "disk",
            Self::SignaturePartition => "signature partition",
        }
    }
}

impl Seed {
    /// The seed of this source with something besides that changes the bytes.
    pub fn with(self, besides: &[u8]) -> Self {
        let text = Sha256::new_with_prefix("veneer seed 1\0").chain_update(self.0);
        Self(text.chain_update(besides).finalize().into())
    }

    /// Thirty-two bytes for a purpose.
    pub fn bytes(&self, purpose: Purpose) -> [u8; 32] {
        let text = Sha256::new_with_prefix("veneer image 1\0").chain_update(purpose.name()).chain_update([0]);
        text.chain_update(self.0).finalize().into()
    }

    /// A UUID for a purpose.
    pub fn uuid(&self, purpose: Purpose) -> Uuid {
        let bytes = self.bytes(purpose);
        let mut uuid: [u8; 16] = std::array::from_fn(|index| bytes[index]);
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        Uuid(uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_its_own_value_and_keeps_it() {
        let seed = Seed([7; 32]);
        assert_eq!(seed.uuid(Purpose::FileSystem).to_string(), "95e27187-a45e-8656-8ee6-e40f513f99d5");
        assert_ne!(seed.uuid(Purpose::FileSystem), seed.uuid(Purpose::HashTree));
        assert_ne!(seed.bytes(Purpose::Salt), Seed([8; 32]).bytes(Purpose::Salt));
    }
}
