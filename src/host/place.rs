//! A place where an image is made: a directory and a name, what is there already, and the lock for who makes it.
//! It makes no image: that is `publish`'s.
//! Rules: flock(2), so that a dead process never leaves a lock; what it leaves is removed by the next.

use crate::image::manifest::{Manifest, OnDisk, Recipe, Sizes};
use crate::image::publish::{ImageName, Part};
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read as _;

/// A manifest is a few kilobytes.
const MANIFEST_MAX: u64 = 1 << 20;
/// A root hash file is one line.
const ROOT_HASH_MAX: u64 = 1024;

/// A directory and the name an image has in it.
#[derive(Debug)]
pub struct Place {
    pub(super) directory: OwnedFd,
    pub(super) path: String,
    pub(super) name: ImageName,
    /// The permissions of its files, before the umask.
    pub(super) mode: Mode,
}

/// Whoever makes an image for themselves says by their umask who reads it.
const BY_UMASK: Mode = Mode::from_raw_mode(0o644);

impl Place {
    /// Opens the directory.
    pub fn open(directory: &str, name: ImageName) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(directory, flags, Mode::empty());
        let opened = opened.with_context(|| format!("opening the directory {directory}"))?;
        Ok(Self { directory: opened, path: directory.trim_end_matches('/').to_owned(), name, mode: BY_UMASK })
    }

    /// What is made here is its owner's alone to read, as what it is made of may be.
    #[must_use]
    pub fn for_its_owner(self) -> Self {
        Self { mode: Mode::from_raw_mode(0o600), ..self }
    }

    /// What is there already, if it was made by this recipe and is whole.
    pub fn published(&self, recipe: &Recipe) -> Result<Option<Manifest>> {
        let (image, tree) = (self.size(Part::Raw)?, self.size(Part::Tree)?);
        let manifest = self.read(Part::Manifest, MANIFEST_MAX)?;
        let root_hash = self.read(Part::RootHash, ROOT_HASH_MAX)?;
        let (Some(image), Some(tree), Some(manifest), Some(root_hash)) = (image, tree, manifest, root_hash) else {
            return Ok(None);
        };
        Ok(Manifest::of_same_recipe(&OnDisk { manifest, root_hash, sizes: Sizes { image, tree } }, recipe))
    }

    /// Locks the name, for as long as the result lives or its process does; and clears what a killed maker has left.
    /// Says so first if another has the lock.
    pub fn lock(self, waiting: impl FnOnce()) -> Result<Locked> {
        let name = self.name.lock();
        let mut waiting = Some(waiting);
        loop {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&self.directory, &name, flags, Mode::from_raw_mode(0o600));
            let file = file.with_context(|| format!("opening {}", self.shown(&name)))?;
            if let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                if error != Errno::WOULDBLOCK {
                    return Err(error).with_context(|| format!("locking {}", self.shown(&name)));
                }
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                let locked = rustix::fs::flock(&file, FlockOperation::LockExclusive);
                locked.with_context(|| format!("locking {}", self.shown(&name)))?;
            }
            if self.is_still(&file, &name)? {
                let locked = Locked { place: self, _lock: file };
                locked.clear()?;
                return Ok(locked);
            }
            // Whoever had it has removed it with its lock: this one is nobody's.
        }
    }

    /// The same without waiting: none if another has the lock.
    pub fn try_lock(self) -> Result<Option<Locked>> {
        let name = self.name.lock();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, &name, flags, Mode::from_raw_mode(0o600));
        let file = file.with_context(|| format!("opening {}", self.shown(&name)))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if self.is_still(&file, &name)? => {
                let locked = Locked { place: self, _lock: file };
                locked.clear()?;
                Ok(Some(locked))
            }
            // Whoever had it has just ended; what is there now is as new.
            Ok(()) | Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("locking {}", self.shown(&name))),
        }
    }

    /// Clears what a maker that was killed has left, if none is at work.
    pub fn tidy(self) -> Result<()> {
        let name = self.name.lock();
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, &name, flags, Mode::empty()) {
            Ok(file) => file,
            // There is none, or it is not ours to remove.
            Err(Errno::NOENT | Errno::ACCESS | Errno::PERM | Errno::ROFS) => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("opening {}", self.shown(&name))),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if self.is_still(&file, &name)? => Locked { place: self, _lock: file }.clear(),
            // Somebody is at work, or has just ended.
            Ok(()) | Err(Errno::WOULDBLOCK) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("locking {}", self.shown(&name))),
        }
    }

    /// Whether the name still leads to this file.
    fn is_still(&self, file: &OwnedFd, name: &str) -> Result<bool> {
        let opened = rustix::fs::fstat(file).with_context(|| format!("looking at {}", self.shown(name)))?;
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("looking at {}", self.shown(name))),
        }
    }

    fn size(&self, part: Part) -> Result<Option<u64>> {
        let name = self.name.of(part);
        match rustix::fs::statat(&self.directory, &name, AtFlags::empty()) {
            Ok(found) => Ok(Some(u64::try_from(found.st_size)?)),
            Err(Errno::NOENT | Errno::LOOP) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking at {}", self.shown(&name))),
        }
    }

    fn read(&self, part: Part, most: u64) -> Result<Option<Vec<u8>>> {
        let name = self.name.of(part);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, &name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("opening {}", self.shown(&name))),
        };
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).with_context(|| format!("reading {}", self.shown(&name)))?;
        Ok(Some(bytes))
    }

    pub(super) fn remove(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("removing {}", self.shown(name))),
        }
    }

    pub(super) fn shown(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}

/// A name that nobody else makes an image under now.
#[derive(Debug)]
pub struct Locked {
    place: Place,
    _lock: OwnedFd,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Removed while it is locked, so whoever waits for it sees that it is gone. If it stays, it is empty and harmless.
        let _ = rustix::fs::unlinkat(&self.place.directory, self.place.name.lock(), AtFlags::empty());
    }
}

impl Locked {
    /// The place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    fn clear(&self) -> Result<()> {
        self.place.name.leftovers().iter().try_for_each(|name| self.place.remove(name))
    }

    /// What is to go if this process is told to end: the lock, and names that nobody sees.
    pub fn traces(&self) -> Result<Traces> {
        let directory = self.place.directory.try_clone().context("keeping the directory")?;
        let place =
            Place { directory, path: self.place.path.clone(), name: self.place.name.clone(), mode: self.place.mode };
        Ok(Traces(place))
    }
}

/// What a maker that ends early leaves behind, unless it is removed.
#[derive(Debug)]
pub struct Traces(Place);

impl Traces {
    /// Removes them. What cannot be removed now, the next maker removes.
    pub fn remove(&self) {
        let place = &self.0;
        for name in place.name.leftovers().iter().chain([&place.name.lock()]) {
            let _ = rustix::fs::unlinkat(&place.directory, name.as_str(), AtFlags::empty());
        }
    }
}
