//! An image on its way to its name: made without one, read back, and named when it is whole.
//! What the names are and in which order they are given is `image::publish`'s; what the bytes are, the writers'.
//! Rules: open(2) `O_TMPFILE`, linkat(2), rename(2), flock(2); a killed maker leaves at most names that the next removes.

use super::nameless::Nameless;
use super::notify::Progress;
use crate::image::manifest::{Manifest, OnDisk, Recipe, Sizes};
use crate::image::publish::{Before, ImageName, Part, Step, steps};
use crate::verity::Superblock;
use crate::verity::build::Built;
use crate::verity::superblock::SUPERBLOCK_SIZE;
use crate::verity::tree::{Tree, check_all};
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

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
}

impl Place {
    /// Opens the directory.
    pub fn open(directory: &str, name: ImageName) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(directory, flags, Mode::empty());
        let opened = opened.with_context(|| format!("opening the directory {directory}"))?;
        Ok(Self { directory: opened, path: directory.trim_end_matches('/').to_owned(), name })
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

    fn remove(&self, name: &str) -> Result<()> {
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
        let place = Place { directory, path: self.place.path.clone(), name: self.place.name.clone() };
        Ok(Traces(place))
    }

    /// Begins an image.
    pub fn begin(&self) -> Result<Unpublished<'_>> {
        Ok(Unpublished { raw: Nameless::new(&self.place, Part::Raw)?, locked: self })
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

/// An image that has no name yet; if it is dropped it is gone.
#[derive(Debug)]
pub struct Unpublished<'a> {
    raw: Nameless<'a>,
    locked: &'a Locked,
}

impl Unpublished<'_> {
    /// The file the image is written to, for a writer of its own.
    pub fn image(&self) -> Result<File> {
        self.raw.file.try_clone().context("keeping the image")
    }

    /// Writes what stands beside the image, has everything on the disk, reads it back, and gives the names.
    pub fn publish(self, tree: &Built, manifest: &Manifest) -> Result<()> {
        self.finish(tree, manifest)?.name()
    }
}

/// An image with all that stands beside it, on the disk and read back, and without a name yet.
#[derive(Debug)]
pub struct Finished<'a> {
    place: &'a Place,
    files: [Nameless<'a>; 4],
}

impl<'a> Unpublished<'a> {
    /// Writes what stands beside the image, has everything on the disk, and reads it back.
    pub fn finish(self, tree: &Built, manifest: &Manifest) -> Result<Finished<'a>> {
        let place = &self.locked.place;
        let files = [
            Nameless::with(place, Part::Tree, &tree.file)?,
            Nameless::with(place, Part::RootHash, tree.root.as_str().as_bytes())?,
            Nameless::with(place, Part::Manifest, manifest.to_text()?.as_bytes())?,
            self.raw,
        ];
        let image = place.shown(&place.name.of(Part::Raw));
        let [tree_file, .., raw] = &files;
        raw.file.sync_all().with_context(|| format!("writing {image}"))?;
        read_back(&raw.file, &tree_file.file, tree, &image)?;
        Ok(Finished { place, files })
    }
}

impl Finished<'_> {
    /// Gives the names, step by step as `image::publish` has them.
    pub fn name(mut self) -> Result<()> {
        let (place, files) = (self.place, &mut self.files);
        for step in steps(place.before()?) {
            match step {
                Step::Stage(part) => each(files, part).try_for_each(Nameless::stage)?,
                Step::Hide => place.hide()?,
                Step::Remove(part) => place.remove(&place.name.of(part))?,
                Step::Name(part) => each(files, part).try_for_each(Nameless::name)?,
                Step::Sync => rustix::fs::fsync(&place.directory).with_context(|| format!("syncing {}", place.path))?,
            }
        }
        Ok(())
    }
}

fn each<'b, 'a>(files: &'b mut [Nameless<'a>], part: Part) -> impl Iterator<Item = &'b mut Nameless<'a>> {
    files.iter_mut().filter(move |file| file.part == part)
}

impl Place {
    fn before(&self) -> Result<Before> {
        let name = self.name.of(Part::Raw);
        match rustix::fs::statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(Before::Something),
            Err(Errno::NOENT) => Ok(Before::Nothing),
            Err(error) => Err(error).with_context(|| format!("looking at {}", self.shown(&name))),
        }
    }

    fn hide(&self) -> Result<()> {
        let (name, passing) = (self.name.of(Part::Raw), self.name.passing_link());
        rustix::fs::symlinkat(self.name.nothing(), &self.directory, &passing)
            .and_then(|()| rustix::fs::renameat(&self.directory, &passing, &self.directory, &name))
            .with_context(|| format!("replacing {}", self.shown(&name)))
    }
}

/// Reads everything from the disk, past what memory still has of it, and checks it from the root hash down.
fn read_back(image: &File, tree: &File, built: &Built, shown: &str) -> Result<()> {
    for file in [image, tree] {
        // Advice: where it is not taken, memory is checked.
        let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
    }
    let wrong = || format!("reading {shown} back");
    let mut head = [0; SUPERBLOCK_SIZE];
    tree.read_exact_at(&mut head, 0).with_context(wrong)?;
    let sb = Superblock::parse(&head).map_err(anyhow::Error::msg).with_context(wrong)?;
    let root = built.root.to_bytes();
    let different = |fault| anyhow::anyhow!("{shown} is not on the disk as it was written: {fault:?}");
    let open = Tree::open(tree, &sb, &root).map_err(different)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut progress = Progress::begin(format!("reading {shown} back"), open.leaves());
    check_all(&open, image, threads, |done| progress.reached(done)).map_err(different)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::identity::{Purpose, Seed};
    use crate::verity::build::{BLOCK, Leaves};
    use std::collections::BTreeMap;
    use std::path::Path;

    fn place(directory: &Path) -> Place {
        Place::open(directory.to_str().expect("text"), ImageName::parse("a").expect("good name")).expect("place")
    }

    fn locked(directory: &Path) -> Locked {
        place(directory).lock(|| panic!("nobody else has it")).expect("locked")
    }

    fn recipe(source: &str) -> Recipe {
        let (source, format) = (source.to_owned(), "erofs".to_owned());
        Recipe { source, format, layout_version: 1, options: BTreeMap::new(), injected: Vec::new() }
    }

    /// Publishes an image of one value.
    fn publish(locked: &Locked, value: u8) -> Result<Manifest> {
        let data = vec![value; 300 * BLOCK];
        let unpublished = locked.begin()?;
        unpublished.image()?.write_all_at(&data, 0)?;
        let seed = Seed([value; 32]);
        let leaves = Leaves::read(seed.bytes(Purpose::Salt), &data[..], 300, 1)?;
        let tree = leaves.build(seed.uuid(Purpose::HashTree))?;
        let manifest = Manifest {
            recipe: recipe(&value.to_string()),
            layers: Vec::new(),
            tool: "test".into(),
            root_hash: tree.root.to_string(),
            sizes: Sizes { image: data.len() as u64, tree: tree.file.len() as u64 },
        };
        unpublished.publish(&tree, &manifest)?;
        Ok(manifest)
    }

    fn names(directory: &Path) -> Vec<String> {
        super::super::files::names_in(directory.to_str().expect("text")).expect("listed")
    }

    const ALL: [&str; 4] = ["a.manifest.json", "a.raw", "a.roothash", "a.verity"];

    #[test]
    fn an_image_appears_whole_and_is_found_again() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let manifest = publish(&locked(dir.path()), 1).expect("published");
        assert_eq!(names(dir.path()), ALL);
        let there = place(dir.path());
        assert_eq!(there.published(&recipe("1")).expect("read"), Some(manifest));
        assert_eq!(there.published(&recipe("2")).expect("read"), None);
        for name in ALL {
            std::fs::rename(dir.path().join(name), dir.path().join("b")).expect("away");
            assert_eq!(there.published(&recipe("1")).expect("read"), None, "{name}");
            std::fs::rename(dir.path().join("b"), dir.path().join(name)).expect("back");
        }
    }

    #[test]
    fn a_new_image_takes_the_place_of_an_old_one_and_of_its_signature() {
        let dir = tempfile::tempdir().expect("temporary directory");
        publish(&locked(dir.path()), 1).expect("published");
        std::fs::write(dir.path().join("a.roothash.p7s"), "old").expect("written");
        publish(&locked(dir.path()), 2).expect("published");
        assert_eq!(names(dir.path()), ALL);
        assert!(place(dir.path()).published(&recipe("2")).expect("read").is_some());
        assert!(std::fs::read(dir.path().join("a.raw")).expect("read").iter().all(|byte| *byte == 2));
    }

    #[test]
    fn nothing_is_left_of_what_was_not_published_or_of_a_killed_maker() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let name = ImageName::parse("a").expect("good name");
        for left in name.leftovers().iter().chain([&name.lock()]) {
            std::fs::write(dir.path().join(left), "left").expect("written");
        }
        let locked = locked(dir.path());
        assert_eq!(names(dir.path()), [name.lock()]);
        locked.begin().expect("begun").image().expect("file").write_all_at(b"some", 0).expect("written");
        drop(locked);
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn what_is_not_on_the_disk_as_it_was_written_gets_no_name() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let locked = locked(dir.path());
        let data = vec![1; 300 * BLOCK];
        let tree = Leaves::read([0; 32], &data[..], 300, 1).expect("read").build(Seed([0; 32]).uuid(Purpose::HashTree));
        let manifest = publish(&locked, 3).expect("published");
        let unpublished = locked.begin().expect("begun");
        unpublished.image().expect("file").write_all_at(&[2; 300 * BLOCK], 0).expect("written");
        let error = unpublished.publish(&tree.expect("tree"), &manifest).expect_err("different");
        assert!(error.to_string().contains("is not on the disk as it was written"), "{error}");
        drop(locked);
        assert_eq!(names(dir.path()), ALL);
        assert!(place(dir.path()).published(&recipe("3")).expect("read").is_some());
    }

    #[test]
    fn one_maker_waits_for_the_other() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let first = locked(dir.path());
        std::thread::scope(|scope| {
            let (waits, told) = std::sync::mpsc::channel();
            let path = dir.path();
            let second = scope.spawn(move || {
                let locked = place(path).lock(|| waits.send(()).expect("told")).expect("locked");
                publish(&locked, 2)
            });
            told.recv().expect("it waits");
            publish(&first, 1).expect("published");
            drop(first);
            second.join().expect("no panic").expect("published");
        });
        assert_eq!(names(dir.path()), ALL);
        assert!(place(dir.path()).published(&recipe("2")).expect("read").is_some());
    }
}
