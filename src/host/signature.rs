//! The signature of a root hash: checked by a program of ours in user space, and offered to the kernel.
//! No cryptography is linked here: `veneer-signature` has it, and runs only where a signature is required.
//! Rules: systemd.exec(5), `RootHashSignature=`; the kernel's admin-guide/device-mapper/verity, `root_hash_sig_key_desc`.

use super::image_files::{ImageData, signature_bytes};
use super::ioctl;
use crate::layout::LIBEXEC;
use crate::root_hash::RootHash;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

/// Checks the signature with `veneer-signature`, which gets the very file that was opened.
pub fn check(root: &RootHash, signature: &ImageData, image: &str) -> Result<()> {
    let program = format!("{LIBEXEC}/veneer-signature");
    let file = signature.file.try_clone().context("keeping the signature")?;
    let out = Command::new(&program)
        .args([root.as_str(), "-"])
        .stdin(Stdio::from(file))
        .stdout(Stdio::null())
        .output()
        .with_context(|| format!("running {program}"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let reason = said.lines().next().unwrap_or("it did not say why").trim_start_matches("veneer-signature: ");
    Err(Fault::data(format!("signature {} of {image} {reason}", signature.path())).into())
}

/// Puts the signature where the kernel finds it while this thread loads a table; gives the key's description.
pub fn to_kernel(device: &str, signature: &ImageData) -> Result<String> {
    let description = format!("veneer:{device}");
    let name = std::ffi::CString::new(description.as_str()).context("naming a key")?;
    ioctl::add_thread_key(&name, &signature_bytes(signature)?).context("giving the signature to the kernel")?;
    Ok(description)
}
