//! Says whether a file signs a root hash; run by veneer-verity where an app requires it.
//! It is a program of its own so that only such a start loads a cryptographic library.
//! Its command line is that of docs/verity.md; what counts is `signature`.

use std::io::Read as _;
use std::process::ExitCode;
use veneer::host::certificates;
use veneer::layout::VERITY_CERTIFICATES;
use veneer::root_hash::RootHash;
use veneer::signature;
use veneer::sysexits::Exit;

const USAGE: &str = "usage: veneer-signature ROOT-HASH P7S-FILE|-";
/// No signature is longer; certificates may be in it.
const SIGNATURE_MAX: u64 = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (exit, said) = match arguments.as_slice() {
        [root, file] => check(root, file),
        _ => (Exit::Usage, USAGE.to_owned()),
    };
    if exit != Exit::Success {
        eprintln!("veneer-signature: {said}");
    }
    exit.into()
}

fn check(root: &str, file: &str) -> (Exit, String) {
    let root = match RootHash::parse(root) {
        Ok(root) => root,
        Err(said) => return (Exit::Usage, said),
    };
    let der = match read(file) {
        Ok(der) => der,
        Err(error) => return (Exit::NoInput, format!("cannot be read: {error}")),
    };
    match signature::verify(&root, &der, &certificates::read(&VERITY_CERTIFICATES)) {
        Ok(()) => (Exit::Success, String::new()),
        Err(said) => (Exit::Data, said),
    }
}

fn read(file: &str) -> std::io::Result<Vec<u8>> {
    let mut der = Vec::new();
    if file == "-" {
        std::io::stdin().take(SIGNATURE_MAX).read_to_end(&mut der)?;
    } else {
        std::fs::File::open(file)?.take(SIGNATURE_MAX).read_to_end(&mut der)?;
    }
    Ok(der)
}
