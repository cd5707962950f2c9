//! What is made beside a converted image: the signature of its root hash, and a disk of it.
//! It makes no image. What can be known to be wrong is known before one is made: the image that is there loses its
//! signature to a new one.
//! Rules: docs/convert.md, "Signatures and disks".

use super::below_root::absolute;
use super::conversion::Outcome;
use super::image_look::{Look, sign};
use super::{disk, new_file, signature};
use crate::convert::{Beside, Output};
use crate::root_hash::RootHash;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Refuses a key, a certificate or a disk's name that cannot be meant.
pub fn check(beside: &Beside) -> Result<()> {
    if let Some((key, certificate)) = &beside.signer {
        signature::check_signer(key, certificate)?;
    }
    beside.disk.as_ref().map_or(Ok(()), |(to, _)| new_file::check(to))
}

/// Signs the image that is there, unless it was signed when it was made, and makes a disk of it, as far as that is
/// asked for; what was done, a line each.
pub fn make(beside: &Beside, output: &Output, root: &RootHash, outcome: &Outcome) -> Result<Vec<String>> {
    let image = absolute(Path::new(&format!("{output}.raw")));
    let look = || Look::at(&image)?.with_context(|| format!("{} is gone", image.display()));
    let mut done = Vec::new();
    if let Some((key, certificate)) = &beside.signer {
        let to = look()?.signature_path;
        if matches!(outcome, Outcome::Kept(_)) {
            sign(root, key, certificate, &to)?;
        }
        done.push(format!("{}: root hash {root}", to.display()));
    }
    if let Some((to, machine)) = &beside.disk {
        let certificate = beside.signer.as_ref().map(|(_, certificate)| certificate);
        let size = disk::Parts::of(look()?, certificate.map(PathBuf::as_path))?.write(*machine, to)?;
        done.push(format!("{}: {size} bytes", to.display()));
    }
    Ok(done)
}
