//! An image and what stands beside it, opened for an admin who wants to know, whoever owns it.
//! It trusts nothing and opens no device: what an app is started from is opened by `image_files`, with its owners checked.
//! Names: `verity::names`; what a signature is, `signature`.

use super::image_files::{ImageData, VerityFiles};
use super::{below_root, signature, tree_check};
use crate::app::Verify;
use crate::image::manifest::Manifest;
use crate::layout::LIBEXEC;
use crate::root_hash::RootHash;
use crate::sysexits::Exit;
use crate::verity::names::SideNames;
use crate::verity::{Fault, Superblock};
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A manifest, a root hash and a signature are a few kilobytes.
const SMALL: u64 = 1 << 20;
/// What a block of `st_blocks` has (stat(3type)).
const STAT_BLOCK: u64 = 512;

/// An image, and what was found beside it.
#[derive(Debug)]
pub struct Look {
    /// The image.
    pub image: ImageData,
    /// Its hash tree.
    pub tree: Option<ImageData>,
    /// Its root hash.
    pub root: Option<RootHash>,
    /// Its manifest; none if somebody else made it.
    pub manifest: Option<Manifest>,
    /// Whether a signature of the root hash is there.
    pub signature: Option<ImageData>,
    /// Where a signature goes.
    pub signature_path: PathBuf,
}

impl Look {
    /// Opens what is there; none if there is no image.
    pub fn at(path: &Path) -> Result<Option<Self>> {
        let Some(image) = ImageData::look(path)? else { return Ok(None) };
        let names = SideNames::of(&path.file_name().unwrap_or_default().to_string_lossy());
        let beside = |name: &str| ImageData::look(&path.with_file_name(name));
        let tree = match beside(&names.tree[0])? {
            Some(tree) => Some(tree),
            None => beside(&names.tree[1])?,
        };
        let root = beside(&names.root_hash)?.map(|file| root_hash(&file)).transpose()?;
        let manifest = beside(&names.manifest)?.map(|file| manifest(&file)).transpose()?;
        let signature = beside(&names.signature)?;
        let signature_path = path.with_file_name(&names.signature);
        Ok(Some(Self { image, tree, root, manifest, signature, signature_path }))
    }

    /// Reads everything and compares it with the root hash; what the hash tree covers.
    pub fn verify(self) -> Result<(RootHash, Superblock)> {
        let missing = |what: &str| Fault::no_input(format!("{} has no {what} beside it", self.image.path()));
        let root = self.root.ok_or_else(|| missing("root hash"))?;
        let tree = self.tree.ok_or_else(|| missing("hash tree"))?;
        if let Some(said) = self.manifest.and_then(|manifest| differs(&manifest, &root, &self.image, &tree)) {
            return Err(Fault::data(format!("{} is not what its manifest says: {said}", self.image.path())).into());
        }
        let verity = VerityFiles { tree, root, root_file: None, signature: None };
        let sb = tree_check::check(&self.image, &verity, Verify::Full)?;
        Ok((verity.root, sb))
    }
}

fn differs(manifest: &Manifest, root: &RootHash, image: &ImageData, tree: &ImageData) -> Option<String> {
    let pairs = [
        ("the root hash", manifest.root_hash.clone(), root.to_string()),
        ("the image's size", manifest.sizes.image.to_string(), image.size().to_string()),
        ("the hash tree's size", manifest.sizes.tree.to_string(), tree.size().to_string()),
    ];
    let (what, wanted, found) = pairs.into_iter().find(|(_, wanted, found)| wanted != found)?;
    Some(format!("{what} is {found}, not {wanted}"))
}

fn root_hash(file: &ImageData) -> Result<RootHash> {
    let bytes = file.read_all(SMALL)?;
    let text = String::from_utf8_lossy(&bytes);
    let parsed = RootHash::parse(text.strip_suffix('\n').unwrap_or(&text));
    parsed.map_err(|said| Fault::data(format!("{} holds no root hash: {said}", file.path())).into())
}

fn manifest(file: &ImageData) -> Result<Manifest> {
    let parsed = serde_json::from_slice(&file.read_all(SMALL)?);
    parsed.map_err(|error| Fault::data(format!("{} is no manifest: {error}", file.path())).into())
}

impl ImageData {
    /// Bytes that it takes on the disk.
    pub fn allocated(&self) -> Result<u64> {
        let found = self.file.metadata().with_context(|| format!("looking at {}", self.path()))?;
        Ok(found.blocks() * STAT_BLOCK)
    }
}

/// Signs a root hash with `veneer-signature`, and writes the signature so that it is whole or absent.
pub fn sign(root: &RootHash, key: &Path, certificate: &Path, to: &Path) -> Result<()> {
    below_root::replace(to, signature::sign(root, key, certificate)?)
}

/// Becomes a helper, like `veneer-convert`; the error, if it cannot.
pub fn become_helper(name: &str, words: &[std::ffi::OsString]) -> anyhow::Error {
    let program = format!("{LIBEXEC}/{name}");
    let error = Command::new(&program).args(words).exec();
    not_run(&program, error)
}

/// Runs one of our helpers to its end; the error is silent but for its code, since the helper has said what was wrong.
pub fn run_helper(name: &str, words: &[std::ffi::OsString]) -> anyhow::Result<()> {
    let program = format!("{LIBEXEC}/{name}");
    let status = Command::new(&program).args(words).status().map_err(|error| not_run(&program, error))?;
    match status.code() {
        Some(0) => Ok(()),
        code => Err(Fault { exit: Exit::from_code(code), sentence: format!("{name} {status}") }.into()),
    }
}

pub(super) fn not_run(program: &str, error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => Fault::unavailable(format!("{program} is missing: install Veneer again")).into(),
        _ => anyhow::Error::new(error).context(format!("running {program}")),
    }
}
