//! Where the store is: the fixed places of `layout`, below a root.
//! It opens nothing.
//! A root other than `/` is a tree of the admin's own, or a test's.

use crate::layout::{BLOBS, IMAGES, STORE};
use anyhow::{Context, Result};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What tells no more than the files of apps do: names, versions, pins.
const PUBLIC: u32 = 0o755;
/// An image holds files that only their owner may read in it, and blobs what a registry gave to none but root. Images
/// are opened by veneer-verity, as root; whoever runs an app sees what is mounted, with the rights in the image.
const SECRET: u32 = 0o700;

/// The mode of one of the store's directories when it is made; tmpfiles.d/veneer.conf has the same.
fn mode_of(place: &str) -> u32 {
    if [IMAGES, BLOBS].contains(&place) { SECRET } else { PUBLIC }
}

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
        let below = |place: &str, mode| {
            let path = self.at(place);
            let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
            made.with_context(|| format!("making the directory {}", path.display()))?;
            Ok(path)
        };
        // Data of apps is below it as well, which other users have their ways to.
        below(STORE, PUBLIC)?;
        below(place, mode_of(place))
    }

    /// Whether there is a store at all.
    pub fn is_there(&self) -> bool {
        self.at(STORE).is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{HISTORIES, PINS, RECORDS, VERSIONS};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_root_reads_images_and_blobs_and_tmpfiles_has_the_same_modes() {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        let conf = include_str!("../../../tmpfiles.d/veneer.conf");
        for (place, mode) in [
            (IMAGES, 0o700),
            (BLOBS, 0o700),
            (STORE, 0o755),
            (RECORDS, 0o755),
            (VERSIONS, 0o755),
            (PINS, 0o755),
            (HISTORIES, 0o755),
        ] {
            let made = store.make(place).expect("made");
            let found = made.metadata().expect("there").permissions().mode() & 0o7777;
            assert_eq!(found, mode, "{place}");
            // `d` gives an older directory this mode, too: tmpfiles.d(5).
            assert!(conf.contains(&format!("\nd {place} {mode:04o} root root -\n")), "{place}");
        }
    }
}
