//! Reads the whole store into a value.
//! It needs no lock: what vanishes while it looks is taken for gone. Who deletes by what is read here holds the lock.
//! What cannot be read is a sentence in the result: a list shows the rest, a prune does nothing.

use super::StoreDir;
use crate::host::below_root::names;
use crate::layout::{BLOBS, HISTORIES, IMAGES, PINS, RECORDS, SCRUB, STORE, TRASH, VERSIONS};
use crate::name::AppId;
use crate::store::listing::{Group, Listing};
use crate::store::{Blob, Pin, Record, Store, StoredFile, StoredImage, Versions};
use crate::sysexits::Exit;
use crate::verity::Fault;
use crate::version::History;
use anyhow::Result;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read as _;
use std::panic::resume_unwind;
use std::path::Path;

/// A record or a pin is a few kilobytes.
const SMALL: u64 = 1 << 20;
/// Fewer images are not worth a thread.
const SHARE_MIN: usize = 500;
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
    let mut reader = Reader { store, found: Reading::default() };
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
    let mut reader = Reader { store, found: Reading::default() };
    reader.versions();
    reader.histories();
    reader.found
}

struct Reader<'a> {
    store: &'a StoreDir,
    found: Reading,
}

impl Reader<'_> {
    fn images(&mut self) {
        let Some((dir, path)) = self.open(IMAGES) else { return };
        let names = self.names(&dir, &path);
        let mut listing = Listing::of(names);
        let groups: Vec<(String, Group)> = std::mem::take(&mut listing.images).into_iter().collect();
        self.found.store.rest = listing;
        // Nearly all of the time goes into asking the kernel about each file, which processors can do side by side.
        let (store, dir, path) = (self.store, dir.as_fd(), &path);
        let read = |groups: Vec<(String, Group)>| {
            let mut part = Reader { store, found: Reading::default() };
            for (name, group) in groups {
                let image = part.image(dir, path, name, group);
                part.found.store.images.extend(image);
            }
            part.found
        };
        let parts = std::thread::scope(|scope| {
            let begun: Vec<_> = shares(groups).into_iter().map(|share| scope.spawn(move || read(share))).collect();
            let ended = begun.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.collect::<Vec<Reading>>()
        });
        for part in parts {
            self.found.store.images.extend(part.store.images);
            self.found.problems.extend(part.problems);
        }
    }

    /// An image; none if its own file has vanished meanwhile.
    fn image(&mut self, dir: BorrowedFd<'_>, path: &Path, name: String, group: Group) -> Option<StoredImage> {
        let mut files = Vec::with_capacity(group.images.len() + group.beside.len());
        for file in group.images {
            files.extend(self.file(dir, path, file));
        }
        let images = files.len();
        for file in group.beside {
            files.extend(self.file(dir, path, file));
        }
        (images > 0).then_some(StoredImage { name, files, images })
    }

    fn file(&mut self, dir: BorrowedFd<'_>, path: &Path, name: String) -> Option<StoredFile> {
        let own = self.found(rustix::fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW), &path.join(&name))?;
        let is_link = rustix::fs::FileType::from_raw_mode(own.st_mode) == rustix::fs::FileType::Symlink;
        let inode = if is_link {
            match rustix::fs::statat(dir, &name, AtFlags::empty()) {
                Ok(target) => Some((target.st_dev, target.st_ino)),
                Err(Errno::NOENT | Errno::LOOP) => None,
                Err(errno) => {
                    self.problem(&path.join(&name), errno);
                    None
                }
            }
        } else {
            Some((own.st_dev, own.st_ino))
        };
        let size = if is_link { 0 } else { u64::try_from(own.st_size).unwrap_or(0) };
        Some(StoredFile { name, size, allocated: allocated(&own), inode, modified: modified(&own) })
    }

    fn blobs(&mut self) {
        let Some((dir, path)) = self.open(BLOBS) else { return };
        for name in self.names(&dir, &path) {
            if name.len() != 64 || !name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                self.found.store.odd_blobs.push(name);
                continue;
            }
            let stat = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW);
            if let Some(stat) = self.found(stat, &path.join(&name)) {
                let (allocated, modified) = (allocated(&stat), modified(&stat));
                self.found.store.blobs.push(Blob { hex: name, allocated, modified });
            }
        }
        self.found.store.blobs.sort_unstable_by(|a, b| a.hex.cmp(&b.hex));
        self.found.store.odd_blobs.sort_unstable();
    }

    fn records(&mut self) {
        for (_, record) in self.notes(RECORDS, Record::parse) {
            self.found.store.records.push(record);
        }
        self.found.store.records.sort_unstable_by(|a, b| a.reference.cmp(&b.reference));
    }

    fn pins(&mut self) {
        let pins = self.notes(PINS, Pin::parse);
        self.found.store.pins.extend(pins);
    }

    fn histories(&mut self) {
        let histories = self.notes(HISTORIES, History::parse);
        self.found.store.notes.histories.extend(histories);
    }

    /// What is in them is the scrub's alone, which holds no lock: only the names.
    fn scrubbed(&mut self) {
        let names = self.listed(&self.store.at(SCRUB));
        let names = names.iter().filter_map(|name| name.strip_suffix(".json")).filter(|name| !name.starts_with('.'));
        self.found.store.notes.scrubbed = names.map(str::to_owned).collect();
    }

    /// All `NAME.json` of a directory.
    fn notes<T>(&mut self, place: &str, parse: impl Fn(&[u8]) -> Result<T, String>) -> Vec<(String, T)> {
        let Some((dir, path)) = self.open(place) else { return Vec::new() };
        let mut notes = Vec::new();
        let mut bytes = Vec::new();
        for name in self.names(&dir, &path) {
            if let Some(hidden) = name.strip_prefix('.') {
                self.passing(place, hidden);
                continue;
            }
            let Some(stem) = name.strip_suffix(".json") else { continue };
            let at = path.join(&name);
            bytes.clear();
            match small(dir.as_fd(), &name, &mut bytes) {
                Ok(()) => match parse(&bytes) {
                    Ok(note) => notes.push((stem.to_owned(), note)),
                    Err(said) => self.found.problems.push(format!("{}: {said}", at.display())),
                },
                Err(Errno::NOENT) => {}
                Err(errno) => self.problem(&at, errno),
            }
        }
        notes
    }

    /// A hidden name among small files: `below_root::replace`'s drafts, and the locks of references.
    fn passing(&mut self, place: &str, hidden: &str) {
        let notes = &mut self.found.store.notes;
        if let Some(record) = hidden.strip_suffix(".lock").filter(|_| place == RECORDS) {
            notes.locks.push(format!("{record}.json"));
        } else if is_draft(hidden) {
            notes.drafts.push(format!("{}/.{hidden}", below_the_store(place)));
        }
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
    fn found(&mut self, stat: Result<Stat, Errno>, path: &Path) -> Option<Stat> {
        match stat {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(errno) => {
                self.problem(path, errno);
                None
            }
        }
    }

    fn problem(&mut self, path: &Path, errno: Errno) {
        self.found.problems.push(format!("{} cannot be read: {}", path.display(), std::io::Error::from(errno)));
    }
}

/// As many shares as there are processors, in order; a small store is one.
fn shares<T>(mut all: Vec<T>) -> Vec<Vec<T>> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let size = all.len().div_ceil(processors).max(SHARE_MIN);
    let mut shares = Vec::new();
    while all.len() > size {
        let rest = all.split_off(size);
        shares.push(std::mem::replace(&mut all, rest));
    }
    shares.push(all);
    shares
}

/// Whether a hidden name is what `below_root::replace` writes before it renames: the record's, and its process.
fn is_draft(hidden: &str) -> bool {
    let parts = hidden.rsplit_once('.').filter(|(name, _)| name.ends_with(".json"));
    parts.is_some_and(|(_, process)| process.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

fn below_the_store(place: &str) -> &str {
    place.strip_prefix(STORE).unwrap_or(place).trim_start_matches('/')
}

fn small(dir: BorrowedFd<'_>, name: &str, bytes: &mut Vec<u8>) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?);
    let read = file.take(SMALL).read_to_end(bytes);
    read.map(drop).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
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

    #[test]
    fn shares_are_all_of_it_in_order() {
        for count in [0, 1, SHARE_MIN, SHARE_MIN + 1, 10_007] {
            let all: Vec<usize> = (0..count).collect();
            let shares = shares(all.clone());
            assert!(shares.len() <= 1 + count / SHARE_MIN, "{count}");
            assert_eq!(shares.concat(), all);
        }
    }
    use crate::host::store::notes::{pin, record, remove_pin, remove_record, write_pin, write_record};
    use crate::image::publish::ImageName;
    use crate::layer::digest::Digest;
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

    #[test]
    fn notes_come_and_go() {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        let a = ImageName::parse("a").expect("name");
        assert!(record(&store, "docker://a").expect("read").is_none() && pin(&store, &a).expect("read").is_none());
        write_record(&store, &record_of("docker://a")).expect("written");
        write_pin(&store, &a, &Pin { when: 7, reason: None }).expect("written");
        assert!(record(&store, "docker://a").expect("read").is_some_and(|record| record.when == 1));
        assert!(pin(&store, &a).expect("read").is_some_and(|pin| pin.when == 7));
        for _ in 0..2 {
            remove_record(&store, "docker://a").expect("removed");
            remove_pin(&store, &a).expect("removed");
        }
        assert!(record(&store, "docker://a").expect("read").is_none() && pin(&store, &a).expect("read").is_none());
    }
}
