//! Says whether a file signs a root hash, or signs one; run by veneer-verity where an app requires it, and by veneer.
//! It is a program of its own so that only such a start loads a cryptographic library.
//! Its command line is that of docs/verity.md; what counts is `signature`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use veneer::host::certificates;
use veneer::layout::VERITY_CERTIFICATES;
use veneer::root_hash::RootHash;
use veneer::signature;
use veneer::sysexits::Exit;

const USAGE: &str = "usage: veneer-signature [--by CERTIFICATE] ROOT-HASH P7S-FILE|-
       veneer-signature --sign ROOT-HASH KEY CERTIFICATE
       veneer-signature --check KEY CERTIFICATE";
/// No signature, key or certificate is longer; certificates may be in it.
const FILE_MAX: u64 = 1 << 20;

type Refused = (Exit, String);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--sign", root, key, certificate] => sign(root, key, certificate),
        ["--check", key, certificate] => check_signer(key, certificate),
        ["--by", certificate, root, file] => check_by(certificate, root, file),
        [root, file] => check(root, file),
        _ => Err((Exit::Usage, USAGE.to_owned())),
    };
    match done {
        Ok(()) => Exit::Success.into(),
        Err((exit, said)) => {
            eprintln!("veneer-signature: {said}");
            exit.into()
        }
    }
}

fn check(root: &str, file: &str) -> Result<(), Refused> {
    let (root, der) = (parse(root)?, read_signature(file)?);
    signature::verify(&root, &der, &certificates::read(&VERITY_CERTIFICATES)).map_err(|said| (Exit::Data, said))
}

fn check_by(certificate: &str, root: &str, file: &str) -> Result<(), Refused> {
    let (root, der) = (parse(root)?, read_signature(file)?);
    let unread = |error| (Exit::NoInput, format!("cannot be checked: {certificate} cannot be read: {error}"));
    signature::verify_by(&root, &der, &read(certificate).map_err(unread)?).map_err(|said| (Exit::Data, said))
}

fn read_signature(file: &str) -> Result<Vec<u8>, Refused> {
    read(file).map_err(|error| (Exit::NoInput, format!("cannot be read: {error}")))
}

/// What is no regular file, like a pipe of the shell's, can be read once: it is left for the signing.
fn check_signer(key: &str, certificate: &str) -> Result<(), Refused> {
    for file in [key, certificate] {
        let found = std::fs::metadata(file).map_err(|error| unread(file, &error))?;
        if found.is_dir() {
            return Err((Exit::Data, format!("{file} is a directory")));
        }
        if !found.is_file() {
            return Ok(());
        }
    }
    signature::check_signer(&open(key)?, &open(certificate)?).map_err(|said| (Exit::Data, said))
}

fn open(file: &str) -> Result<Vec<u8>, Refused> {
    read(file).map_err(|error| unread(file, &error))
}

fn unread(file: &str, error: &std::io::Error) -> Refused {
    (Exit::NoInput, format!("{file} cannot be read: {error}"))
}

/// The signature goes to standard output, in DER.
fn sign(root: &str, key: &str, certificate: &str) -> Result<(), Refused> {
    let root = parse(root)?;
    let der = signature::sign(&root, &open(key)?, &open(certificate)?).map_err(|said| (Exit::Data, said))?;
    let written = std::io::stdout().write_all(&der).and_then(|()| std::io::stdout().flush());
    written.map_err(|error| (Exit::Failure, format!("the signature cannot be written: {error}")))
}

fn parse(root: &str) -> Result<RootHash, Refused> {
    RootHash::parse(root).map_err(|said| (Exit::Usage, said))
}

fn read(file: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == "-" {
        std::io::stdin().take(FILE_MAX).read_to_end(&mut bytes)?;
    } else {
        File::open(file)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
