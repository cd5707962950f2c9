//! Digests of blobs and layers: the name of a content, and a reader that checks it on the way.
//! It fetches nothing; a blob that is missing is the store's to report.
//! Source: the OCI image specification, "Digests"; SHA-256 and SHA-512 are the registered algorithms.

use super::fault::bad;
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::io::{self, Read};

/// `sha256:` or `sha512:` and lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Box<str>);

impl Digest {
    /// Checks a digest; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = match text.split_once(':') {
            Some(("sha256", _)) => 64,
            Some(("sha512", _)) => 128,
            _ => return Err(format!("{:?} is no digest: sha256 and sha512 are known", cut(text))),
        };
        let hex = &text[7..];
        if hex.len() != length || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("{:?} is no digest: {length} lower-case hex digits are wanted", cut(text)));
        }
        Ok(Self(text.into()))
    }

    /// The SHA-256 digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new("sha256");
        hasher.update(bytes);
        hasher.finish()
    }

    /// The whole digest.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The algorithm's name.
    pub fn algorithm(&self) -> &str {
        &self.0[..6]
    }

    /// The hex digits.
    pub fn hex(&self) -> &str {
        &self.0[7..]
    }
}

fn cut(text: &str) -> String {
    text.chars().take(150).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A digest in the making.
#[derive(Clone, Debug)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// A hasher for the algorithm of a digest; SHA-256 for any other word.
    pub fn new(algorithm: &str) -> Self {
        if algorithm == "sha512" { Self::Sha512(Box::default()) } else { Self::Sha256(Sha256::new()) }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all of them.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => named("sha256:", &hasher.finalize()),
            Self::Sha512(hasher) => named("sha512:", &hasher.finalize()),
        }
    }
}

fn named(prefix: &str, bytes: &[u8]) -> Digest {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let hex = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    Digest(prefix.chars().chain(hex).collect::<String>().into())
}

/// What a blob must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its digest.
    pub digest: Option<Digest>,
    /// Its bytes.
    pub size: Option<u64>,
}

/// A reader that knows at its end what it has read.
#[derive(Debug)]
pub struct Checked<R> {
    inner: R,
    expected: Expected,
    hasher: Option<Hasher>,
    count: u64,
}

impl<R: Read> Checked<R> {
    /// Reads a blob that must be as expected; without a digest to expect, none is made.
    pub fn new(inner: R, expected: Expected) -> Self {
        let hasher = expected.digest.as_ref().map(|digest| Hasher::new(digest.algorithm()));
        Self { inner, expected, hasher, count: 0 }
    }

    /// Reads what is left, and compares.
    pub fn finish(&mut self) -> io::Result<()> {
        let mut rest = vec![0; 1 << 16];
        while self.read(&mut rest)? > 0 {}
        if let Some(size) = self.expected.size.filter(|size| *size != self.count) {
            let found = self.count;
            let than = if found > size { "or more" } else { "in all" };
            return Err(bad(format!("the size is wrong: expected {size} bytes, found {found} {than}")));
        }
        match (self.hasher.take().map(Hasher::finish), &self.expected.digest) {
            (Some(found), Some(expected)) if found != *expected => {
                Err(bad(format!("the digest is wrong: expected {expected}, found {found}")))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte too many is enough to know.
        if self.expected.size.is_some_and(|size| self.count > size) {
            return Ok(0);
        }
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_lower_case_hex_of_their_length() {
        let digest = Digest::of(b"");
        assert_eq!(digest.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Digest::parse(digest.as_str()), Ok(digest.clone()));
        assert_eq!((digest.algorithm(), digest.hex().len()), ("sha256", 64));
        assert!(Digest::parse(&format!("sha512:{}", "a".repeat(128))).is_ok());
        for bad in ["", "sha256", "sha256:", "md5:00", "sha256:../../etc/passwd", &digest.as_str().to_uppercase()] {
            assert!(Digest::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Digest::parse(&format!("sha256:{}", "A".repeat(64))).is_err());
        assert!(Digest::parse(&format!("sha256:{}", "a".repeat(63))).is_err());
    }

    #[test]
    fn a_mismatch_names_both() {
        let check = |bytes: &[u8], expected| Checked::new(bytes, expected).finish().map_err(|error| error.to_string());
        let right = Expected { digest: Some(Digest::of(b"abc")), size: Some(3) };
        assert_eq!(check(b"abc", right.clone()), Ok(()));
        let said = check(b"abd", right.clone()).expect_err("another content");
        assert!(said.contains(Digest::of(b"abc").as_str()) && said.contains(Digest::of(b"abd").as_str()), "{said}");
        let said = check(b"ab", right.clone()).expect_err("too short");
        assert!(said.contains("expected 3 bytes, found 2"), "{said}");
        let said = check(&[0; 200_000], right).expect_err("too long");
        assert!(said.contains("expected 3 bytes, found"), "{said}");
        assert_eq!(check(b"anything", Expected::default()), Ok(()));
    }
}
