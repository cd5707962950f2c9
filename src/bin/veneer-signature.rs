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

const USAGE: &str =
    "usage: veneer-signature ROOT-HASH P7S-FILE|-\n       veneer-signature --sign ROOT-HASH KEY CERTIFICATE";
/// No signature, key or certificate is longer; certificates may be in it.
const FILE_MAX: u64 = 1 << 20;

type Refused = (Exit, String);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--sign", root, key, certificate] => sign(root, key, certificate),
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
    let root = parse(root)?;
    let der = read(file).map_err(|error| (Exit::NoInput, format!("cannot be read: {error}")))?;
    signature::verify(&root, &der, &certificates::read(&VERITY_CERTIFICATES)).map_err(|said| (Exit::Data, said))
}

/// The signature goes to standard output, in DER.
fn sign(root: &str, key: &str, certificate: &str) -> Result<(), Refused> {
    let root = parse(root)?;
    let open = |file: &str| read(file).map_err(|error| (Exit::NoInput, format!("{file} cannot be read: {error}")));
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
