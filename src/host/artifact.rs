//! An image that came as an artifact, put into the store: its blobs get the names of an image's files.
//! It fetches nothing: the blobs are in the store. Nothing gets a name before all of it was read against the root hash.
//! The name is the digest of the artifact's manifest: what an artifact says of itself cannot take another image's place.

use super::image_files::{ImageData, VerityFiles};
use super::place::{Locked, Place};
use super::store::StoreDir;
use super::tree_check;
use crate::app::Verify;
use crate::image::publish::{ImageName, Part};
use crate::layer::digest::Digest;
use crate::layout::{BLOBS, IMAGES};
use crate::root_hash::RootHash;
use crate::store::artifact::Piece;
use crate::store::name::BY_CONTENT;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, Mode};
use rustix::io::Errno;
use std::path::PathBuf;

/// A root hash, a signature and a manifest are a few kilobytes.
const SMALL: u64 = 1 << 20;

/// The name of the image that an artifact with this manifest is in the store.
pub fn name(manifest: &Digest) -> Result<ImageName> {
    ImageName::parse(&format!("{BY_CONTENT}{}", manifest.hex())).map_err(|said| Fault::data(said).into())
}

/// What becomes of an image that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// It is this one.
    Stays,
    /// It is damaged.
    Replaced,
}

/// Puts the image in. The caller shares the store's lock, and all blobs are there.
pub fn install(store: &StoreDir, manifest: &Digest, pieces: &[Piece], present: Present) -> Result<ImageName> {
    let name = name(manifest)?;
    let images = store.make(IMAGES)?;
    let locked = Place::open(&images.to_string_lossy(), name.clone())?.lock(|| ())?;
    let there = images.join(name.of(Part::Raw));
    if present == Present::Replaced || !super::below_root::exists(&there) {
        Installing { store, locked: &locked, pieces }.run().with_context(|| format!("taking in {name}"))?;
    }
    Ok(name)
}

struct Installing<'a> {
    store: &'a StoreDir,
    locked: &'a Locked,
    pieces: &'a [Piece],
}

impl Installing<'_> {
    fn run(&self) -> Result<()> {
        let done = self.staged().and_then(|()| self.check()).and_then(|()| self.named());
        if done.is_err() {
            let place = self.locked.place();
            // What cannot be removed now, the next maker removes.
            place.name.leftovers().iter().for_each(|name| drop(place.remove(name)));
        }
        done
    }

    /// Each blob under a hidden name beside the images: the same file where it can be, so that it is there once.
    fn staged(&self) -> Result<()> {
        let place = self.locked.place();
        for piece in self.pieces {
            let (blob, hidden) = (self.store.at(BLOBS).join(piece.digest.hex()), place.name.passing(piece.part));
            let linked = rustix::fs::linkat(CWD, &blob, &place.directory, &hidden, AtFlags::empty());
            match linked {
                Ok(()) => {}
                Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => {
                    std::fs::copy(&blob, self.path(piece.part))
                        .map(drop)
                        .with_context(|| format!("copying to {hidden}"))?;
                }
                Err(error) => return Err(error).with_context(|| format!("naming {}", blob.display())),
            }
            let mode = Mode::from_raw_mode(0o644);
            rustix::fs::chmodat(&place.directory, &hidden, mode, AtFlags::empty()).context("giving a mode")?;
        }
        Ok(())
    }

    fn path(&self, part: Part) -> PathBuf {
        let place = self.locked.place();
        PathBuf::from(&place.path).join(place.name.passing(part))
    }

    fn open(&self, part: Part) -> Result<ImageData> {
        let path = self.path(part);
        let found = ImageData::look(&path)?;
        found.ok_or_else(|| Fault::no_input(format!("{} has vanished", path.display())).into())
    }

    /// Sizes and small files by the artifact, the image and its tree by the root hash.
    fn check(&self) -> Result<()> {
        for piece in self.pieces {
            let file = self.open(piece.part)?;
            let small = !matches!(piece.part, Part::Raw | Part::Tree);
            if file.size() != piece.size || small && Digest::of(&file.read_all(SMALL)?) != piece.digest {
                return Err(Fault::data(format!("blob {} is not what its digest says", piece.digest)).into());
            }
        }
        let text = self.open(Part::RootHash)?.read_all(SMALL)?;
        let text = String::from_utf8_lossy(&text);
        let root =
            RootHash::parse(text.trim_end()).map_err(|said| Fault::data(format!("its root hash is none: {said}")))?;
        let verity = VerityFiles { tree: self.open(Part::Tree)?, root, root_file: None, signature: None };
        tree_check::check(&self.open(Part::Raw)?, &verity, Verify::Full)?;
        Ok(())
    }

    /// What stands beside the image first, and on the disk, then the image.
    fn named(&self) -> Result<()> {
        let place = self.locked.place();
        let sync = || rustix::fs::fsync(&place.directory).with_context(|| format!("syncing {}", place.path));
        for piece in self.pieces {
            self.open(piece.part)?.file.sync_all().context("syncing a file")?;
        }
        let (own, beside): (Vec<&Piece>, Vec<&Piece>) = self.pieces.iter().partition(|piece| piece.part == Part::Raw);
        for pieces in [beside, own] {
            for piece in pieces {
                let (hidden, name) = (place.name.passing(piece.part), place.name.of(piece.part));
                let named = rustix::fs::renameat(&place.directory, &hidden, &place.directory, &name);
                named.with_context(|| format!("naming {}/{name}", place.path))?;
                // Both names of one file: rename(2) does nothing then.
                place.remove(&hidden)?;
            }
            sync()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::image_look::Look;
    use crate::image::identity::Uuid;
    use crate::verity::build::{BLOCK, Leaves};
    use std::fs::File;
    use std::path::Path;

    const BLOCKS: usize = 300;

    /// A store that has the blobs of an artifact, and the artifact's pieces.
    fn pulled() -> (tempfile::TempDir, StoreDir, Vec<Piece>) {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        let data: Vec<u8> = (0..BLOCKS * BLOCK).map(|at| (at / 7) as u8).collect();
        let raw = root.path().join("raw");
        std::fs::write(&raw, &data).expect("written");
        let leaves = Leaves::read([1; 32], &File::open(&raw).expect("open"), BLOCKS as u64, 1).expect("leaves");
        let built = leaves.build(Uuid([2; 16])).expect("tree");
        let files =
            [(Part::Raw, data), (Part::Tree, built.file), (Part::RootHash, built.root.to_string().into_bytes())];
        let blobs = store.make(BLOBS).expect("made");
        let piece = |(part, bytes): (Part, Vec<u8>)| {
            let digest = Digest::of(&bytes);
            std::fs::write(blobs.join(digest.hex()), &bytes).expect("written");
            Piece { part, digest, size: bytes.len() as u64 }
        };
        let pieces = files.map(piece).to_vec();
        (root, store, pieces)
    }

    fn names(path: &Path) -> Vec<String> {
        crate::host::below_root::names(path).expect("listed")
    }

    #[test]
    fn an_artifact_becomes_an_image_that_is_there_once() {
        let (_root, store, pieces) = pulled();
        let manifest = Digest::of(b"manifest");
        for _ in 0..2 {
            let name = install(&store, &manifest, &pieces, Present::Stays).expect("installed");
            let raw = store.at(IMAGES).join(name.of(Part::Raw));
            Look::at(&raw).expect("looked").expect("there").verify().expect("whole");
            assert_eq!(names(&store.at(IMAGES)).len(), 3);
        }
    }

    #[test]
    fn what_is_not_whole_gets_no_name_and_leaves_nothing() {
        for (at, said) in [(0, "damaged"), (1, "damaged"), (2, "not what its digest says")] {
            let (_root, store, pieces) = pulled();
            let blob = store.at(BLOBS).join(pieces[at].digest.hex());
            let mut bytes = std::fs::read(&blob).expect("read");
            let middle = bytes.len() - 1 - bytes.len() / 3;
            bytes[middle] ^= 1;
            std::fs::write(&blob, bytes).expect("written");
            let error = install(&store, &Digest::of(b"manifest"), &pieces, Present::Stays).expect_err("refused");
            assert!(format!("{error:#}").contains(said), "{error:#}");
            assert!(names(&store.at(IMAGES)).is_empty());
        }
        let (_root, store, pieces) = pulled();
        std::fs::remove_file(store.at(BLOBS).join(pieces[1].digest.hex())).expect("removed");
        assert!(install(&store, &Digest::of(b"manifest"), &pieces, Present::Stays).is_err());
        assert!(names(&store.at(IMAGES)).is_empty());
    }
}
