//! The image and the files beside it: found, opened once, their owners checked, the root hash read.
//! Afterwards only the descriptors are used, so nothing can be exchanged between a check and its use.
//! What they are called is `verity::names`; who may own them is `trusted`.

use super::trusted::{Opened, Trusted, Wanted};
use crate::app::{ImageFile, Trust};
use crate::live::FileMark;
use crate::path::AbsPath;
use crate::root_hash::RootHash;
use crate::verity::Fault;
use crate::verity::names::{SideNames, candidates};
use crate::verity::tree::ReadAt;
use anyhow::{Context, Result};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// A file opened for reading, with its path for messages.
#[derive(Debug)]
pub struct ImageData {
    /// The descriptor.
    pub file: File,
    /// Its path and what it was when opened.
    pub mark: FileMark,
}

/// What makes an image a verified one.
#[derive(Debug)]
pub struct VerityFiles {
    /// The hash file.
    pub tree: ImageData,
    /// The root hash.
    pub root: RootHash,
    /// The file it was read from; none if the configuration gives it.
    pub root_file: Option<FileMark>,
    /// Its signature, where one is required.
    pub signature: Option<ImageData>,
}

/// An image, open.
#[derive(Debug)]
pub struct FoundImage {
    /// The image file.
    pub image: ImageData,
    /// The files beside it; none if nothing is required.
    pub verity: Option<VerityFiles>,
}

/// What was found of an image.
#[derive(Debug)]
pub enum Found {
    /// It.
    Image(Box<FoundImage>),
    /// None of these is there.
    Nowhere(Vec<String>),
}

/// A root hash file is one line.
const ROOT_HASH_MAX: u64 = 1024;
/// A signature is a few kilobytes; certificates may be in it.
const SIGNATURE_MAX: u64 = 1 << 20;

/// Finds an image and opens it with what is beside it. `looking` hears the path first, for messages.
pub fn find(trusted: &Trusted, wanted: &ImageFile, mut looking: impl FnMut(&AbsPath)) -> Result<Found> {
    let paths = candidates(&wanted.place);
    for path in &paths {
        looking(path);
        if let Some(opened) = trusted.open(path, Wanted::File)? {
            return open_rest(trusted, wanted, path, opened).map(|found| Found::Image(Box::new(found)));
        }
    }
    Ok(Found::Nowhere(paths.iter().map(ToString::to_string).collect()))
}

impl ReadAt for ImageData {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl ImageData {
    fn new(opened: Opened, path: String) -> Self {
        Self { file: File::from(opened.fd), mark: FileMark { path, identity: opened.identity } }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.mark.identity.size
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.mark.path
    }

    /// All of it, if it is no longer than that.
    pub fn read_all(&self, most: u64) -> Result<Vec<u8>> {
        if self.size() > most {
            return Err(Fault::data(format!("{} has {} bytes, which is too long", self.path(), self.size())).into());
        }
        let mut bytes = vec![0; usize::try_from(self.size())?];
        self.file.read_exact_at(&mut bytes, 0).with_context(|| format!("reading {}", self.path()))?;
        Ok(bytes)
    }
}

fn open_rest(trusted: &Trusted, wanted: &ImageFile, path: &AbsPath, opened: Opened) -> Result<FoundImage> {
    let beside = Beside::new(trusted, path, &opened);
    let verity = if wanted.trust == Trust::Nothing { None } else { Some(beside.verity(&wanted.trust)?) };
    Ok(FoundImage { image: ImageData::new(opened, path.to_string()), verity })
}

/// Opens files beside an image.
struct Beside<'a> {
    trusted: &'a Trusted,
    image: &'a str,
    opened: &'a Opened,
    directory: &'a str,
    names: SideNames,
}

impl<'a> Beside<'a> {
    fn new(trusted: &'a Trusted, path: &'a AbsPath, opened: &'a Opened) -> Self {
        let (directory, file) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        Self { trusted, image: path.as_str(), opened, directory, names: SideNames::of(file) }
    }

    fn verity(&self, trust: &Trust) -> Result<VerityFiles> {
        let tree = match self.open(&self.names.tree[0])? {
            Some(tree) => tree,
            None => self.open(&self.names.tree[1])?.ok_or_else(|| self.missing("hash tree", &self.names.tree[0]))?,
        };
        let (root, root_file) = match trust.root_hash() {
            Some(root) => (root.clone(), None),
            None => self.root_hash().map(|(root, file)| (root, Some(file)))?,
        };
        let signature = match trust {
            Trust::Signed(_) => {
                let name = &self.names.signature;
                Some(self.open(name)?.ok_or_else(|| self.missing("signature of its root hash", name))?)
            }
            _ => None,
        };
        Ok(VerityFiles { tree, root, root_file, signature })
    }

    fn root_hash(&self) -> Result<(RootHash, FileMark)> {
        let name = &self.names.root_hash;
        let file = self.open(name)?.ok_or_else(|| self.missing("root hash", name))?;
        let bytes = file.read_all(ROOT_HASH_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        let root = RootHash::parse(text.strip_suffix('\n').unwrap_or(&text))
            .map_err(|said| Fault::data(format!("{} of {} holds no root hash: {said}", file.path(), self.image)))?;
        Ok((root, file.mark))
    }

    fn open(&self, name: &str) -> Result<Option<ImageData>> {
        let shown = format!("{}/{name}", self.directory);
        let opened = self.trusted.open_beside(self.opened, name, &shown)?;
        Ok(opened.map(|opened| ImageData::new(opened, shown)))
    }

    fn missing(&self, what: &str, name: &str) -> Fault {
        Fault::no_input(format!("{} has no {what}: {}/{name} is missing", self.image, self.directory))
    }
}

/// The signature's bytes.
pub fn signature_bytes(signature: &ImageData) -> Result<Vec<u8>> {
    signature.read_all(SIGNATURE_MAX)
}
