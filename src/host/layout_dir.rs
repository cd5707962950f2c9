//! OCI layouts in directories, written: of blobs of the store, and of an image's own files.
//! It decides nothing: the documents are `store::artifact`'s.
//! Source: the OCI image layout specification.

use crate::layer::digest::{Digest, Hasher};
use crate::store::artifact::{LAYOUT, index};
use anyhow::{Context, Result};
use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

/// A layout in the making; if it is dropped before it is kept, it is gone.
#[derive(Debug)]
pub struct LayoutWriter {
    path: PathBuf,
    kept: bool,
}

impl LayoutWriter {
    /// Makes the directory, which must not be there.
    pub fn make(path: &Path, mode: u32) -> Result<Self> {
        let made = DirBuilder::new().mode(mode).create(path);
        made.with_context(|| format!("making the directory {}", path.display()))?;
        let writer = Self { path: path.to_owned(), kept: false };
        let blobs = DirBuilder::new().recursive(true).mode(mode).create(path.join("blobs/sha256"));
        blobs.with_context(|| format!("making directories in {}", path.display()))?;
        Ok(writer)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs/sha256").join(digest.hex())
    }

    /// A blob that lies elsewhere, by a link: for a layout that is read and removed.
    pub fn link(&self, digest: &Digest, to: &Path) -> Result<()> {
        symlink(to, self.blob(digest)).with_context(|| format!("linking to {}", to.display()))
    }

    /// A blob that lies elsewhere, copied; where the file system can, it is not there twice.
    pub fn copy(&self, digest: &Digest, from: &Path) -> Result<()> {
        let blob = self.blob(digest);
        if !blob.exists() {
            fs::copy(from, &blob).with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(())
    }

    /// A blob of these bytes.
    pub fn blob_of(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        self.write(&self.blob(&digest), bytes)?;
        Ok(digest)
    }

    /// The documents at its top, for one manifest.
    pub fn finish(&self, manifest_type: &str, manifest: &Digest, size: usize, name: &str) -> Result<()> {
        self.write(&self.path.join("oci-layout"), LAYOUT.as_bytes())?;
        let index = serde_json::to_vec(&index(manifest_type, manifest, size, name))?;
        self.write(&self.path.join("index.json"), &index)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
    }

    /// Gives it another name, with everything on the disk, and keeps it.
    pub fn keep_as(mut self, path: &Path) -> Result<()> {
        for directory in [self.path.join("blobs/sha256"), self.path.clone()] {
            for entry in fs::read_dir(&directory).context("listing the layout")? {
                let entry = entry.context("listing the layout")?.path();
                File::open(&entry)
                    .and_then(|file| file.sync_all())
                    .with_context(|| format!("syncing {}", entry.display()))?;
            }
        }
        fs::rename(&self.path, path).with_context(|| format!("naming {}", path.display()))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for LayoutWriter {
    fn drop(&mut self) {
        if !self.kept {
            // Links are removed, not what they lead to.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The digest and the bytes of a file.
pub fn digest_of(path: &Path) -> Result<(Digest, u64)> {
    let act = || format!("reading {}", path.display());
    let mut file = File::open(path).with_context(act)?;
    let (mut hasher, mut size) = (Hasher::new("sha256"), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).with_context(act)?;
        if count == 0 {
            return Ok((hasher.finish(), size));
        }
        size += count as u64;
        hasher.update(&buffer[..count]);
    }
}
