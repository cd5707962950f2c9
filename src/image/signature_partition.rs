//! What a disk's signature partition holds: a root hash's signature, and by whom it was made.
//! It signs nothing and checks nothing: [`crate::signature`] does.
//! Rules: the Discoverable Partitions Specification (UAPI.2), "Verity Signature"; RFC 7468 (PEM), RFC 4648 (Base64).

use crate::root_hash::RootHash;
use sha2::{Digest as _, Sha256};

/// The JSON of a signature partition (UAPI.2, "Verity Signature"), padded as it asks for.
pub fn signature_json(root: &RootHash, certificate_sha256: &[u8; 32], pkcs7: &[u8]) -> Vec<u8> {
    let fingerprint: String = certificate_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let json =
        format!(r#"{{"rootHash":"{root}","certificateFingerprint":"{fingerprint}","signature":"{}"}}"#, base64(pkcs7));
    let mut bytes = json.into_bytes();
    bytes.resize((bytes.len() + 1).next_multiple_of(4096), 0);
    bytes
}

/// The SHA-256 of a certificate in PEM, over its DER, by which a signature partition names its signer; none if it is no
/// certificate.
pub fn fingerprint(pem: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, behind) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (inside, _) = behind.split_once("-----END CERTIFICATE-----")?;
    Some(Sha256::digest(from_base64(inside)?).into())
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes of Base64, white space left out; none if it has other letters.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
    let mut bytes = Vec::new();
    for part in letters.chunks(4) {
        let mut word = 0u32;
        for letter in part {
            let value = LETTERS.iter().position(|known| known == letter)?;
            word = word << 6 | value as u32;
        }
        word <<= 6 * (4 - part.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..part.len()]);
    }
    Some(bytes)
}

/// Base64 (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let word = (0..3).fold(0u32, |word, index| word << 8 | u32::from(*part.get(index).unwrap_or(&0)));
        for index in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= part.len() { letter.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_the_known_ones() {
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }

    #[test]
    fn a_certificate_is_named_by_the_digest_of_its_bytes() {
        for bytes in [&b"f"[..], b"fo", b"foo", b"certificate"] {
            let pem = format!("text\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(bytes));
            assert_eq!(fingerprint(pem.as_bytes()), Some(Sha256::digest(bytes).into()));
        }
        for bad in [&b""[..], b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", b"\xff"] {
            assert_eq!(fingerprint(bad), None);
        }
    }

    #[test]
    fn a_signature_is_json_in_whole_blocks() {
        let root = RootHash::parse(&"ab".repeat(32)).expect("good hash");
        let bytes = signature_json(&root, &[0xcd; 32], b"foo");
        assert_eq!(bytes.len(), 4096);
        let text = String::from_utf8_lossy(&bytes);
        let json: serde_json::Value = serde_json::from_str(text.trim_end_matches('\0')).expect("JSON");
        assert_eq!(json["rootHash"], "ab".repeat(32));
        assert_eq!(json["certificateFingerprint"], "cd".repeat(32));
        assert_eq!(json["signature"], "Zm9v");
    }
}
