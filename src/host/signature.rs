//! The signature of a root hash: checked by a program of ours in user space, and offered to the kernel.
//! No cryptography is linked here: `veneer-signature` has it, and runs only where a signature is required.
//! Rules: systemd.exec(5), `RootHashSignature=`; the kernel's admin-guide/device-mapper/verity, `root_hash_sig_key_desc`.

use super::image_files::{ImageData, signature_bytes};
use super::image_look::not_run;
use super::ioctl;
use crate::layout::LIBEXEC;
use crate::root_hash::RootHash;
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Checks the signature with `veneer-signature`, which gets the very file that was opened.
pub fn check(root: &RootHash, signature: &ImageData, image: &str) -> Result<()> {
    let file = signature.file.try_clone().context("keeping the signature")?;
    let done = run(|command| command.args([root.as_str(), "-"]).stdin(file))?;
    let refused = |reason| Fault::data(format!("signature {} of {image} {reason}", signature.path()));
    Ok(judge(&done).map_err(refused)?)
}

/// Checks that this certificate's key has made the signature, whatever else is trusted.
pub fn check_by(root: &RootHash, signature: &ImageData, certificate: &Path) -> Result<()> {
    let file = signature.file.try_clone().context("keeping the signature")?;
    let done = run(|command| command.arg("--by").arg(certificate).args([root.as_str(), "-"]).stdin(file))?;
    let sentence = |reason| format!("signature {} {reason}", signature.path());
    Ok(judge(&done).map_err(|reason| Fault { exit: end(&done), sentence: sentence(reason) })?)
}

/// Checks a key and its certificate before anything is done for them. A key that has a password is not opened for this,
/// and what can be read only once is not read.
pub fn check_signer(key: &Path, certificate: &Path) -> Result<()> {
    let done = run(|command| command.arg("--check").arg(key).arg(certificate))?;
    let sentence = |reason| format!("signing with {} and {}: {reason}", key.display(), certificate.display());
    Ok(judge(&done).map_err(|reason| Fault { exit: end(&done), sentence: sentence(reason) })?)
}

/// The signature of a root hash, in DER.
pub fn sign(root: &RootHash, key: &Path, certificate: &Path) -> Result<Vec<u8>> {
    // A key's password is asked for on the terminal, so what is wrong is said there too.
    let done = run(|command| {
        command
            .args(["--sign", root.as_str()])
            .arg(key)
            .arg(certificate)
            .stdin(Stdio::inherit())
            .stderr(Stdio::inherit())
    })?;
    match done.status.success() {
        true => Ok(done.stdout),
        false => Err(Fault { exit: end(&done), sentence: "the root hash is not signed".into() }.into()),
    }
}

fn run(told: impl FnOnce(&mut Command) -> &mut Command) -> Result<Output> {
    let program = format!("{LIBEXEC}/veneer-signature");
    told(&mut Command::new(&program)).output().map_err(|error| not_run(&program, error))
}

/// The reason of a refusal, as the program gives it.
fn judge(done: &Output) -> Result<(), String> {
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let reason = said.lines().next().unwrap_or("it did not say why");
    Err(reason.trim_start_matches("veneer-signature: ").to_owned())
}

fn end(done: &Output) -> Exit {
    Exit::from_code(done.status.code())
}

/// Puts the signature where the kernel finds it while this thread loads a table; gives the key's description.
pub fn to_kernel(device: &str, signature: &ImageData) -> Result<String> {
    let description = format!("veneer:{device}");
    let name = std::ffi::CString::new(description.as_str()).context("naming a key")?;
    ioctl::add_thread_key(&name, &signature_bytes(signature)?).context("giving the signature to the kernel")?;
    Ok(description)
}
