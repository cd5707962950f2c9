//! An image on its way to its name: made without one, read back, and named when it is whole.
//! What the names are and in which order they are given is `image::publish`'s; what the bytes are, the writers'.
//! Rules: open(2) `O_TMPFILE`, linkat(2), rename(2); a killed maker leaves at most names that the next removes.

use super::interruption::{Interruption, State};
use super::nameless::Nameless;
use super::new_file;
use super::notify::Progress;
pub use super::place::{Locked, Place, Traces};
use crate::image::manifest::Manifest;
use crate::image::publish::{Before, Part, Step, steps};
use crate::verity::build::Built;
use crate::verity::superblock::SUPERBLOCK_SIZE;
use crate::verity::tree::{Tree, check_all};
use crate::verity::{Fault, Superblock};
use anyhow::{Context, Result};
use rustix::fs::{Advice, AtFlags, FileType};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

impl Locked {
    /// Begins an image; not where its names belong to something that a file must not take the place of.
    pub fn begin(&self) -> Result<Unpublished<'_>> {
        self.place().check()?;
        Ok(Unpublished { raw: Nameless::new(self.place(), Part::Raw)?, locked: self })
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
    files: Vec<Nameless<'a>>,
}

impl<'a> Unpublished<'a> {
    /// Writes what stands beside the image, has everything on the disk, and reads it back.
    pub fn finish(self, tree: &Built, manifest: &Manifest) -> Result<Finished<'a>> {
        let place = self.locked.place();
        let tree_file = Nameless::with(place, Part::Tree, &tree.file)?;
        let root_hash = Nameless::with(place, Part::RootHash, tree.root.as_str().as_bytes())?;
        let manifest = Nameless::with(place, Part::Manifest, manifest.to_text()?.as_bytes())?;
        let image = place.shown(&place.name.of(Part::Raw));
        self.raw.file.sync_all().with_context(|| format!("writing {image}"))?;
        read_back(&self.raw.file, &tree_file.file, tree, &image)?;
        Ok(Finished { place, files: vec![tree_file, root_hash, manifest, self.raw] })
    }
}

impl Finished<'_> {
    /// With the signature of its root hash, which appears with the image.
    pub fn signed(mut self, signature: &[u8]) -> Result<Self> {
        self.files.push(Nameless::with(self.place, Part::Signature, signature)?);
        Ok(self)
    }

    /// Gives the names; a signal that comes meanwhile comes too late.
    pub fn name_uninterrupted(self, interruption: &Interruption) -> Result<()> {
        let mut held = interruption.hold();
        self.name()?;
        *held = State::Done;
        Ok(())
    }

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
    /// A link to nothing is what a maker that was killed leaves, and an admin's link is replaced as it always was.
    fn check(&self) -> Result<()> {
        for name in Part::ALL.map(|part| self.name.of(part)) {
            let kind = match rustix::fs::statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => FileType::from_raw_mode(found.st_mode),
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error).with_context(|| format!("looking at {}", self.shown(&name))),
            };
            if let Some(what) = new_file::what(kind).filter(|_| kind != FileType::Symlink) {
                let said = format!("{} is {what}: only a regular file is written over", self.shown(&name));
                return Err(Fault::data(said).into());
            }
        }
        Ok(())
    }

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
    use crate::image::manifest::{Recipe, Sizes};
    use crate::image::publish::ImageName;
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
    fn what_is_for_its_owner_is_read_by_nobody_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temporary directory");
        let locked = place(dir.path()).for_its_owner().lock(|| ()).expect("locked");
        publish(&locked, 1).expect("published");
        for name in ALL {
            let mode = dir.path().join(name).metadata().expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{name}");
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
        place(dir.path()).tidy().expect("not while it is locked");
        assert_eq!(names(dir.path()), [name.lock()]);
        drop(locked);
        assert_eq!(names(dir.path()), [""; 0]);
        for left in [name.lock(), name.passing(Part::Tree)] {
            std::fs::write(dir.path().join(left), "left").expect("written");
        }
        place(dir.path()).tidy().expect("tidied");
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
