//! Where the store is: the fixed places of `layout`, below a root.
//! It opens nothing.
//! A root other than `/` is a tree of the admin's own, or a test's.

use crate::layout::STORE;
use anyhow::{Context, Result};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The store below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDir {
    root: PathBuf,
}

impl StoreDir {
    /// The store of this machine.
    pub fn host() -> Self {
        Self::below(Path::new("/"))
    }

    /// The store below another root.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The root that absolute paths are meant below.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// One of `layout`'s paths, below the root.
    pub fn at(&self, place: &str) -> PathBuf {
        self.root.join(place.trim_start_matches('/'))
    }

    /// Makes one of the store's directories, and those above it, if they are not there.
    pub fn make(&self, place: &str) -> Result<PathBuf> {
        let path = self.at(place);
        // What the store holds is no secret: images are read by whoever runs them.
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&path);
        made.with_context(|| format!("making the directory {}", path.display()))?;
        Ok(path)
    }

    /// Whether there is a store at all.
    pub fn is_there(&self) -> bool {
        self.at(STORE).is_dir()
    }
}
