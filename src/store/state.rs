//! The whole store as a value.
//! It judges nothing: what is in use is `in_use`'s, what may go is `prune`'s.
//! What is where is docs/store.md's.

use super::listing::Listing;
use super::record::{Pin, Record};
use super::versions::Versions;
use crate::layer::digest::Digest;
use crate::version::History;
use std::collections::BTreeMap;

/// What tells a file from every other: device and inode.
pub type Inode = (u64, u64);

/// One file of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name in the directory of images.
    pub name: String,
    /// Bytes in it; those of a link's target are counted where that is.
    pub size: u64,
    /// Bytes it takes on the disk.
    pub allocated: u64,
    /// The file itself, links followed; none if a link leads to nothing.
    pub inode: Option<Inode>,
    /// When it was last written: seconds since 1970.
    pub modified: u64,
}

/// An image with all that stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// Its name, without an ending.
    pub name: String,
    /// Its own files, the image's first.
    pub files: Vec<StoredFile>,
    /// How many of these are the image itself: two if both conventions have one.
    pub images: usize,
}

impl StoredImage {
    /// Bytes of all its files on the disk.
    pub fn allocated(&self) -> u64 {
        self.files.iter().map(|file| file.allocated).sum()
    }

    /// Bytes of all its files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// When it was made: its newest file.
    pub fn made(&self) -> u64 {
        self.files.iter().map(|file| file.modified).max().unwrap_or(0)
    }

    /// The image's own files.
    pub fn own(&self) -> &[StoredFile] {
        &self.files[..self.images.min(self.files.len())]
    }
}

/// A blob of container images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The hex digits it goes by.
    pub hex: String,
    /// Bytes it takes on the disk.
    pub allocated: u64,
    /// When it was last written: seconds since 1970.
    pub modified: u64,
}

impl Blob {
    /// Whether a digest is this one's.
    pub fn is(&self, digest: &Digest) -> bool {
        digest.algorithm() == "sha256" && digest.hex() == self.hex
    }
}

/// The store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// Images, sorted by name.
    pub images: Vec<StoredImage>,
    /// Names that are no images: what is left of some, what is in the making, what is not ours.
    pub rest: Listing,
    /// Blobs, sorted.
    pub blobs: Vec<Blob>,
    /// Names among the blobs that no blob has: what a killed pull has left, or strangers.
    pub odd_blobs: Vec<String>,
    /// What references were resolved to, sorted by reference.
    pub records: Vec<Record>,
    /// The versions of apps, sorted by id.
    pub apps: Vec<Versions>,
    /// What is pinned, by the image's name.
    pub pins: BTreeMap<String, Pin>,
    /// What waits to be deleted.
    pub trash: Vec<String>,
    /// Small files besides records and pins.
    pub notes: Notes,
}

/// Small files that nobody needs but with what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The histories of apps' versions.
    pub histories: BTreeMap<String, History>,
    /// Names of images of which it is known how far they were read.
    pub scrubbed: Vec<String>,
    /// The locks of references, by the names of their records.
    pub locks: Vec<String>,
    /// Files and links on their way to a name, below the store: their writers hold its lock, or were killed.
    pub drafts: Vec<String>,
}

impl Store {
    /// The image of this name.
    pub fn image(&self, name: &str) -> Option<&StoredImage> {
        self.images.binary_search_by(|image| image.name.as_str().cmp(name)).ok().map(|at| &self.images[at])
    }

    /// What a reference was resolved to.
    pub fn record(&self, reference: &str) -> Option<&Record> {
        self.records
            .binary_search_by(|record| record.reference.as_str().cmp(reference))
            .ok()
            .map(|at| &self.records[at])
    }
}
