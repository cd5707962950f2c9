//! The image that sessions are copies of: found, its owners checked, read as a whole once and then known by its mark.
//! It copies nothing. A copy has no dm-verity below it, so all of the image must have been read and found good before;
//! that is done once for an image file as it is, and again when anything about it changes.
//! What is known is in `/run/veneer/verified/ID`, so a boot reads each image again.

use crate::app::{ImageFile, Verify};
use crate::host::image_files::{Found, FoundImage, VerityFiles, find};
use crate::host::trusted::{Trusted, identity};
use crate::host::{files, signature, tree_check};
use crate::layout::VERIFIED;
use crate::live::FileMark;
use crate::name::AppId;
use crate::root_hash::RootHash;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

/// An image that is good.
#[derive(Debug)]
pub struct Base {
    found: FoundImage,
}

impl Base {
    /// Finds an image and makes sure of it.
    pub fn open(id: &AppId, wanted: &ImageFile) -> Result<Self> {
        let trusted = Trusted::host()?;
        let found = match find(&trusted, wanted, |_| ())? {
            Found::Image(found) => *found,
            Found::Nowhere(paths) => {
                return Err(Fault::no_input(format!("there is no image {}", paths.join(", nor "))).into());
            }
        };
        if let Some(verity) = &found.verity {
            make_sure(id, wanted, &found, verity)?;
        }
        Ok(Self { found })
    }

    /// The image's file.
    pub fn file(&self) -> &File {
        &self.found.image.file
    }

    /// Its path.
    pub fn path(&self) -> &str {
        self.found.image.path()
    }

    /// Its size.
    pub fn size(&self) -> u64 {
        self.found.image.size()
    }

    /// The root hash it has; none if nothing is required.
    pub fn root_hash(&self) -> Option<&RootHash> {
        self.found.verity.as_ref().map(|verity| &verity.root)
    }

    /// Whether it is still what it was when it was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        let status = rustix::fs::fstat(self.file()).with_context(|| format!("looking at {}", self.path()))?;
        match identity(&status) == self.found.image.mark.identity {
            true => Ok(()),
            false => Err(Fault::data(format!("{} was written while it was copied", self.path())).into()),
        }
    }
}

fn make_sure(id: &AppId, wanted: &ImageFile, found: &FoundImage, verity: &VerityFiles) -> Result<()> {
    let known = known(wanted, found, verity);
    let path = format!("{VERIFIED}/{id}");
    if is_known(&path, &known)? {
        return Ok(());
    }
    files::make_directory("/run/veneer", 0o755)?;
    files::make_directory(VERIFIED, 0o700)?;
    let options = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
    let mut file = options.open(&path).with_context(|| format!("opening {path}"))?;
    // One reads, the others wait for what it finds.
    rustix::fs::flock(&file, FlockOperation::LockExclusive).with_context(|| format!("locking {path}"))?;
    if is_known(&path, &known)? {
        return Ok(());
    }
    if let Some(signature) = &verity.signature {
        signature::check(&verity.root, signature, found.image.path())?;
    }
    tree_check::check(&found.image, verity, Verify::Full)?;
    // Half of it written is not equal to it, and is written again.
    file.set_len(0).and_then(|()| file.write_all(known.as_bytes())).with_context(|| format!("writing {path}"))
}

fn is_known(path: &str, known: &str) -> Result<bool> {
    let mut text = String::new();
    match File::open(path) {
        Ok(mut file) => {
            file.read_to_string(&mut text).with_context(|| format!("reading {path}"))?;
            Ok(text == known)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("opening {path}")),
    }
}

/// All that the finding depends on, as text.
fn known(wanted: &ImageFile, found: &FoundImage, verity: &VerityFiles) -> String {
    let mut lines = vec![format!("{} {}", wanted.trust.name(), verity.root)];
    let signature = verity.signature.as_ref().map(|signature| &signature.mark);
    let marks = [Some(&found.image.mark), Some(&verity.tree.mark), verity.root_file.as_ref(), signature];
    lines.extend(marks.into_iter().flatten().map(FileMark::to_text));
    lines.join("\n") + "\n"
}
