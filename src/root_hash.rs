//! The root hash of a dm-verity tree.
//! It says nothing about where the tree is or whether it is right.
//! Format: lower-case hex, as `veritysetup format` prints it and `RootHash=` takes it (systemd.exec(5)).

use std::fmt;

/// A root hash: 64 (SHA-256) or 128 (SHA-512) hex digits, kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootHash(Box<str>);

impl RootHash {
    /// Checks a root hash; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("a root hash has only hex digits, not {odd:?}"));
        }
        if !matches!(text.len(), 64 | 128) {
            return Err(format!(
                "a root hash has 64 (SHA-256) or 128 (SHA-512) hex digits, this one has {}",
                text.len()
            ));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The root hash that a tree was found to have.
    pub fn of_bytes(hash: &[u8]) -> Self {
        Self(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The hash in hex, which is also what a signature signs.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let digit = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 };
        self.0.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::RootHash;

    #[test]
    fn a_root_hash_is_hex_of_a_known_length() {
        let hash = RootHash::parse(&"Ab".repeat(32)).expect("good hash");
        assert_eq!(hash.as_str(), "ab".repeat(32));
        assert_eq!(hash.to_bytes(), vec![0xab; 32]);
        assert_eq!(RootHash::of_bytes(&hash.to_bytes()), hash);
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &format!("{}\n", "a".repeat(64))] {
            assert!(RootHash::parse(bad).is_err(), "{bad:?}");
        }
    }
}
