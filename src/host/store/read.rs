//! Reads the whole store into a value.
//! It needs no lock: what vanishes while it looks is taken for gone. Who deletes by what is read here holds the lock.
//! What cannot be read is a sentence in the result: a list shows the rest, a prune does nothing.

mod images;
mod notes;

use self::images::Beside;
use super::StoreDir;
use crate::host::below_root::names;
use crate::layout::{BLOBS, IMAGES, STORE, TRASH, VERSIONS};
use crate::name::AppId;
use crate::store::{Blob, Store, Versions};
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Result;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;
use std::path::Path;

/// What a block of `st_blocks` has (stat(3type)).
const STAT_BLOCK: u64 = 512;

/// What was read, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What was read.
    pub store: Store,
    /// What could not be read: a sentence each.
    pub problems: Vec<String>,
}

/// Says plainly that the images are root's to read, before all that follows from not having read them.
pub fn check_access(store: &StoreDir) -> Result<()> {
    let path = store.at(IMAGES);
    match rustix::fs::open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let sentence = format!("the images in {} are root's alone to read: run this as root", path.display());
            Err(Fault { exit: Exit::NoPermission, sentence }.into())
        }
        // Whatever else is wrong, who reads them says.
        _ => Ok(()),
    }
}

/// Reads the store; a store that is not there is empty.
pub fn read(store: &StoreDir) -> Reading {
    read_with(store, Beside::All)
}

/// The same for who wants to know how much images take: of what is beside an image only its hash tree is looked at.
/// The other files are a block each, and half of what the kernel would be asked.
pub fn read_sizes(store: &StoreDir) -> Reading {
    read_with(store, Beside::Trees)
}

fn read_with(store: &StoreDir, beside: Beside) -> Reading {
    let mut reader = Reader { store, beside, found: Reading::default() };
    reader.images();
    reader.blobs();
    reader.records();
    reader.versions();
    reader.pins();
    reader.histories();
    reader.scrubbed();
    reader.trash();
    reader.found
}

/// The versions of apps and their histories alone: what everybody may read.
pub fn read_versions(store: &StoreDir) -> Reading {
    let mut reader = Reader { store, beside: Beside::All, found: Reading::default() };
    reader.versions();
    reader.histories();
    reader.found
}

struct Reader<'a> {
    store: &'a StoreDir,
    beside: Beside,
    found: Reading,
}

impl Reader<'_> {
    fn blobs(&mut self) {
        let Some((dir, path)) = self.open(BLOBS) else { return };
        for name in self.names(&dir, &path) {
            if name.len() != 64 || !name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                self.found.store.odd_blobs.push(name);
                continue;
            }
            let stat = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW);
            if let Some(stat) = self.found(stat, &path, &name) {
                let (allocated, modified) = (allocated(&stat), modified(&stat));
                self.found.store.blobs.push(Blob { hex: name, allocated, modified });
            }
        }
        self.found.store.blobs.sort_unstable_by(|a, b| a.hex.cmp(&b.hex));
        self.found.store.odd_blobs.sort_unstable();
    }

    fn versions(&mut self) {
        let path = self.store.at(VERSIONS);
        let apps = self.listed(&path);
        for name in apps {
            let dir = path.join(&name);
            let (drafts, links): (Vec<String>, Vec<String>) =
                self.listed(&dir).into_iter().partition(|link| link.starts_with('.') && link.ends_with(".new"));
            let drafts = drafts.into_iter().map(|draft| format!("{}/{name}/{draft}", below_the_store(VERSIONS)));
            self.found.store.notes.drafts.extend(drafts);
            let links: Vec<(String, String)> =
                links.into_iter().filter_map(|link| self.link(&dir.join(&link)).map(|target| (link, target))).collect();
            match AppId::parse(&name).and_then(|app| Versions::of(app, links)) {
                Ok(versions) => self.found.store.apps.push(versions),
                Err(said) => self.found.problems.push(format!("{}: {said}", dir.display())),
            }
        }
    }

    fn link(&mut self, path: &Path) -> Option<String> {
        match rustix::fs::readlink(path, Vec::new()) {
            Ok(target) => Some(target.to_string_lossy().into_owned()),
            Err(Errno::NOENT) => None,
            // Not a link.
            Err(Errno::INVAL) => Some(String::new()),
            Err(errno) => {
                self.problem(path, errno);
                None
            }
        }
    }

    fn trash(&mut self) {
        self.found.store.trash = self.listed(&self.store.at(TRASH));
    }

    fn listed(&mut self, path: &Path) -> Vec<String> {
        names(path).unwrap_or_else(|error| {
            self.found.problems.push(format!("{error:#}"));
            Vec::new()
        })
    }

    fn open(&mut self, place: &str) -> Option<(OwnedFd, std::path::PathBuf)> {
        let path = self.store.at(place);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(dir) => Some((dir, path)),
            Err(Errno::NOENT) => None,
            Err(errno) => {
                self.problem(&path, errno);
                None
            }
        }
    }

    fn names(&mut self, dir: &OwnedFd, path: &Path) -> Vec<String> {
        let mut names = Vec::new();
        let mut buffer = Vec::with_capacity(64 << 10);
        let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            match entry.map(|entry| entry.file_name().to_str().map(str::to_owned)) {
                Ok(Ok(name)) if name == "." || name == ".." => {}
                Ok(Ok(name)) => names.push(name),
                // Nothing of ours has such a name.
                Ok(Err(_)) => {}
                Err(errno) => {
                    self.problem(path, errno);
                    break;
                }
            }
        }
        names
    }

    /// What was found of a file; none if it has vanished, or cannot be looked at.
    fn found(&mut self, stat: Result<Stat, Errno>, directory: &Path, name: &str) -> Option<Stat> {
        match stat {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(errno) => {
                self.problem(&directory.join(name), errno);
                None
            }
        }
    }

    fn problem(&mut self, path: &Path, errno: Errno) {
        self.found.problems.push(format!("{} cannot be read: {}", path.display(), std::io::Error::from(errno)));
    }
}

fn below_the_store(place: &str) -> &str {
    place.strip_prefix(STORE).unwrap_or(place).trim_start_matches('/')
}

fn allocated(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * STAT_BLOCK
}

fn modified(stat: &Stat) -> u64 {
    u64::try_from(stat.st_mtime).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::store::notes::{write_pin, write_record};
    use crate::image::publish::ImageName;
    use crate::layer::digest::Digest;
    use crate::layout::RECORDS;
    use crate::store::{Pin, Record};
    use std::collections::BTreeMap;
    use std::fs;

    fn record_of(reference: &str) -> Record {
        Record {
            reference: reference.into(),
            manifest: Digest::of(b"m"),
            image: ImageName::parse("a").ok(),
            when: 1,
            labels: BTreeMap::new(),
            blobs: Vec::new(),
        }
    }

    #[test]
    fn a_store_is_read_whole_and_one_that_is_not_there_is_empty() {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        let empty = read(&store);
        assert!(empty.problems.is_empty() && empty.store == Store::default());
        let images = store.make(IMAGES).expect("made");
        for (name, bytes) in [("a.raw", 5000), ("a.verity", 100), ("a.roothash", 64), (".b.raw.new", 1), ("c.hash", 1)]
        {
            fs::write(images.join(name), vec![1; bytes]).expect("written");
        }
        std::os::unix::fs::symlink("a.raw", images.join("d.raw")).expect("linked");
        let blob = "ab".repeat(32);
        fs::write(store.make(BLOBS).expect("made").join(&blob), "x").expect("written");
        let versions = store.make(&format!("{VERSIONS}/app")).expect("made");
        std::os::unix::fs::symlink("../../images/a.raw", versions.join("1")).expect("linked");
        write_record(&store, &record_of("docker://a")).expect("written");
        write_pin(&store, &ImageName::parse("a").expect("name"), &Pin { when: 1, reason: None }).expect("written");
        let Reading { store: found, problems } = read(&store);
        assert!(problems.is_empty(), "{problems:?}");
        let a = found.image("a").expect("an image");
        assert_eq!((a.size(), a.own().len(), a.files.len()), (5164, 1, 3));
        let sizes = read_sizes(&store).store;
        assert_eq!(
            sizes.image("a").map(|a| (a.size(), a.own().len())),
            Some((5100, 1)),
            "the root hash does not count"
        );
        let d = found.image("d").expect("another name");
        assert_eq!((d.own()[0].inode, d.size()), (a.own()[0].inode, 0));
        assert!(found.rest.orphans.contains_key("c") && found.rest.passing.contains_key("b"));
        assert_eq!((found.blobs[0].hex.as_str(), found.apps[0].versions[0].number), (&*blob, 1));
        assert!(found.record("docker://a").is_some() && found.pins.contains_key("a"));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_the_rest_is_read() {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        write_record(&store, &record_of("docker://a")).expect("written");
        fs::write(store.at(RECORDS).join("x.json"), "{").expect("written");
        let versions = store.make(&format!("{VERSIONS}/app")).expect("made");
        fs::write(versions.join("1"), "no link").expect("written");
        let Reading { store: found, problems } = read(&store);
        assert_eq!((found.records.len(), problems.len()), (1, 2), "{problems:?}");
        assert!(problems[0].contains("x.json: it is no record"), "{problems:?}");
        assert!(problems[1].contains("apps/app: 1: it leads to"), "{problems:?}");
    }
}
