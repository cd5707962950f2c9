//! Whether a signature signs a root hash: PKCS#7, detached, over the hash in hex without a newline.
//! It reads no file and trusts no certificate but those it is given; a chain of certificates means nothing here.
//! The same check as systemd's for `RootHashSignature=` (`src/shared/dissect-image.c`, `validate_signature_userspace`).

use crate::root_hash::RootHash;
use openssl::error::ErrorStack;
use openssl::pkcs7::{Pkcs7, Pkcs7Flags};
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

/// Where no maker is looked for.
const NOBODY: &str = "nobody";

/// Checks a signature in DER against certificates in PEM; the error is a reason, to stand behind the file's name.
///
/// What is no certificate is passed over, as systemd does: one broken file must not take the others' trust away.
pub fn verify(root: &RootHash, der: &[u8], certificates: &[Vec<u8>]) -> Result<(), String> {
    let signature = parse(der)?;
    let known: Vec<X509> = certificates.iter().filter_map(|pem| X509::from_pem(pem).ok()).collect();
    if known.is_empty() {
        return Err("cannot be checked: there is no certificate in verity.d".into());
    }
    check(root, &signature, known).map_err(|errors| reason(&errors, "none of the certificates in verity.d"))
}

/// Checks a signature in DER against the one certificate, in PEM, that is said to have made it.
pub fn verify_by(root: &RootHash, der: &[u8], certificate: &[u8]) -> Result<(), String> {
    let signer =
        X509::from_pem(certificate).map_err(|_| "cannot be checked: that is no certificate in PEM".to_owned())?;
    check(root, &parse(der)?, vec![signer]).map_err(|errors| reason(&errors, "another certificate than the one given"))
}

/// Checks that a certificate is that of a key, both in PEM. A key with a password is believed: it is asked for once,
/// when it is signed.
pub fn check_signer(key: &[u8], certificate: &[u8]) -> Result<(), String> {
    let signer = signer(certificate)?;
    match is_encrypted(key) {
        true => Ok(()),
        false => fits(&signer, &private(key)?),
    }
}

fn parse(der: &[u8]) -> Result<Pkcs7, String> {
    Pkcs7::from_der(der).map_err(|_| "is no PKCS#7 signature in DER".to_owned())
}

fn private(key: &[u8]) -> Result<PKey<Private>, String> {
    PKey::private_key_from_pem(key).map_err(|errors| format!("the key {}", reason(&errors, NOBODY)))
}

fn signer(certificate: &[u8]) -> Result<X509, String> {
    X509::from_pem(certificate).map_err(|errors| format!("the certificate {}", reason(&errors, NOBODY)))
}

fn fits(signer: &X509, key: &PKey<Private>) -> Result<(), String> {
    let matches = signer.public_key().is_ok_and(|public| public.public_eq(key));
    if matches { Ok(()) } else { Err("the certificate is not that of the key".into()) }
}

/// As PKCS#8 and the older PEM (RFC 7468, RFC 1421) say so.
fn is_encrypted(key: &[u8]) -> bool {
    let text = String::from_utf8_lossy(key);
    ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"].iter().any(|sign| text.contains(sign))
}

/// Signs a root hash with a key and its certificate, both in PEM: a signature in DER, as `openssl smime -sign` makes
/// it with `-nocerts -noattr -binary`. The key's password is asked for on the terminal, if it has one.
pub fn sign(root: &RootHash, key: &[u8], certificate: &[u8]) -> Result<Vec<u8>, String> {
    let (key, signer) = (private(key)?, signer(certificate)?);
    fits(&signer, &key)?;
    let flags = Pkcs7Flags::DETACHED | Pkcs7Flags::BINARY | Pkcs7Flags::NOATTR | Pkcs7Flags::NOCERTS;
    let signed = Stack::new()
        .and_then(|none| Pkcs7::sign(&signer, &key, &none, root.as_str().as_bytes(), flags))
        .and_then(|signature| signature.to_der());
    signed.map_err(|errors| format!("the root hash {}", reason(&errors, NOBODY)))
}

fn check(root: &RootHash, signature: &Pkcs7, known: Vec<X509>) -> Result<(), ErrorStack> {
    let mut stack = Stack::new()?;
    for certificate in known {
        stack.push(certificate)?;
    }
    // With NOVERIFY nobody looks into the store: the certificates themselves are what is trusted.
    let store = X509StoreBuilder::new()?.build();
    let flags = Pkcs7Flags::NOINTERN | Pkcs7Flags::NOVERIFY;
    signature.verify(&stack, &store, Some(root.as_str().as_bytes()), None, flags)
}

fn reason(errors: &ErrorStack, maker: &str) -> String {
    // The library tells what went wrong from the inside out: PKCS#7's own word comes last.
    let reasons: Vec<&str> = errors.errors().iter().filter_map(openssl::error::Error::reason).collect();
    match reasons.last().copied() {
        Some("signer certificate not found") => format!("was made by {maker}"),
        Some("digest failure" | "signature failure") => "does not sign this root hash".into(),
        Some(other) => format!("is not valid: {other}"),
        None => "is not valid".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::rsa::Rsa;

    struct Signer {
        key: PKey<Private>,
        certificate: X509,
    }

    /// A signer whose certificate has long expired: verity.d's certificates are trusted as they are.
    fn signer(serial: u32) -> Signer {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("key")).expect("key");
        let mut builder = X509::builder().expect("builder");
        builder.set_pubkey(&key).expect("public key");
        // A signature names its signer by issuer and serial number.
        let number = BigNum::from_u32(serial).and_then(|number| number.to_asn1_integer()).expect("number");
        builder.set_serial_number(&number).expect("serial");
        builder.set_not_before(&Asn1Time::from_unix(0).expect("time")).expect("begin");
        builder.set_not_after(&Asn1Time::from_unix(86400).expect("time")).expect("end");
        builder.sign(&key, MessageDigest::sha256()).expect("signed");
        Signer { key, certificate: builder.build() }
    }

    impl Signer {
        fn sign(&self, text: &[u8]) -> Vec<u8> {
            let none = Stack::new().expect("stack");
            let flags = Pkcs7Flags::DETACHED | Pkcs7Flags::BINARY | Pkcs7Flags::NOATTR;
            let signature = Pkcs7::sign(&self.certificate, &self.key, &none, text, flags).expect("signature");
            signature.to_der().expect("der")
        }

        fn sign_without_certificate(&self, text: &[u8]) -> Vec<u8> {
            let none = Stack::new().expect("stack");
            let flags = Pkcs7Flags::DETACHED | Pkcs7Flags::BINARY | Pkcs7Flags::NOATTR | Pkcs7Flags::NOCERTS;
            let signature = Pkcs7::sign(&self.certificate, &self.key, &none, text, flags).expect("signature");
            signature.to_der().expect("der")
        }

        fn pem(&self) -> Vec<u8> {
            self.certificate.to_pem().expect("pem")
        }
    }

    #[test]
    fn what_is_signed_here_counts_there() {
        let (ours, other) = (signer(1), signer(2));
        let key = ours.key.private_key_to_pem_pkcs8().expect("pem");
        let made = sign(&root("a"), &key, &ours.pem()).expect("signed");
        assert_eq!(verify(&root("a"), &made, &[ours.pem()]), Ok(()));
        assert!(verify(&root("b"), &made, &[ours.pem()]).is_err());
        assert_eq!(made, ours.sign_without_certificate(root("a").as_str().as_bytes()));
        assert_eq!(
            sign(&root("a"), &key, &other.pem()).expect_err("another's"),
            "the certificate is not that of the key"
        );
        assert!(sign(&root("a"), b"rubbish", &ours.pem()).expect_err("no key").starts_with("the key is not valid"));
        assert_eq!(check_signer(&key, &ours.pem()), Ok(()));
        assert_eq!(check_signer(&key, &other.pem()).expect_err("another's"), "the certificate is not that of the key");
        assert!(check_signer(b"rubbish", &ours.pem()).expect_err("no key").starts_with("the key is not valid"));
        assert!(check_signer(&key, b"rubbish").expect_err("none").starts_with("the certificate is not valid"));
        assert!(sign(&root("a"), &key, b"rubbish").expect_err("none").starts_with("the certificate is not valid"));
    }

    #[test]
    fn a_key_with_a_password_is_not_opened_to_be_checked() {
        let ours = signer(1);
        let cipher = openssl::symm::Cipher::aes_128_cbc();
        let pkcs8 = ours.key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").expect("pem");
        let old = ours.key.rsa().expect("RSA").private_key_to_pem_passphrase(cipher, b"secret").expect("pem");
        for key in [pkcs8, old] {
            assert_eq!(check_signer(&key, &ours.pem()), Ok(()));
        }
    }

    #[test]
    fn a_certificate_that_did_not_sign_is_told_from_the_one_that_did() {
        let (ours, other) = (signer(1), signer(2));
        let made = ours.sign_without_certificate(root("a").as_str().as_bytes());
        assert_eq!(verify_by(&root("a"), &made, &ours.pem()), Ok(()));
        for (root, certificate, why) in [
            (root("a"), other.pem(), "was made by another certificate"),
            (root("b"), ours.pem(), "does not sign this root hash"),
            (root("a"), b"rubbish".to_vec(), "no certificate in PEM"),
        ] {
            let said = verify_by(&root, &made, &certificate).expect_err(why);
            assert!(said.contains(why), "{said}");
        }
    }

    fn root(digit: &str) -> RootHash {
        RootHash::parse(&digit.repeat(64)).expect("good hash")
    }

    #[test]
    fn a_signature_counts_for_its_root_hash_and_signer_only() {
        let (ours, other) = (signer(1), signer(2));
        let good = ours.sign(root("a").as_str().as_bytes());
        let known = [b"no certificate".to_vec(), other.pem(), ours.pem()];
        assert_eq!(verify(&root("a"), &good, &known), Ok(()));
        let cases = [
            (root("b"), &good, &known[..], "does not sign this root hash"),
            (root("a"), &good, &known[..2], "none of the certificates"),
            (root("a"), &good, &[][..], "no certificate in verity.d"),
            (root("a"), &b"rubbish".to_vec(), &known[..], "no PKCS#7"),
            (root("a"), &ours.sign(format!("{}\n", root("a")).as_bytes()), &known[..], "does not sign"),
        ];
        for (root, der, known, why) in cases {
            let said = verify(&root, der, known).expect_err(why);
            assert!(said.contains(why), "{said}");
        }
    }
}
