//! Records, pins and histories: small files of JSON, and what hides between them.
//! What is in a scrub's notes it does not read.
//! A hidden name is a draft or a lock, which its maker may have left behind.

use super::{Reader, below_the_store};
use crate::layout::{HISTORIES, PINS, RECORDS, SCRUB};
use crate::store::{Pin, Record};
use crate::version::History;
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read as _;

/// A record or a pin is a few kilobytes.
const SMALL: u64 = 1 << 20;

impl Reader<'_> {
    pub(super) fn records(&mut self) {
        for (_, record) in self.notes(RECORDS, Record::parse) {
            self.found.store.records.push(record);
        }
        self.found.store.records.sort_unstable_by(|a, b| a.reference.cmp(&b.reference));
    }

    pub(super) fn pins(&mut self) {
        let pins = self.notes(PINS, Pin::parse);
        self.found.store.pins.extend(pins);
    }

    pub(super) fn histories(&mut self) {
        let histories = self.notes(HISTORIES, History::parse);
        self.found.store.notes.histories.extend(histories);
    }

    /// What is in them is the scrub's alone, which holds no lock: only the names.
    pub(super) fn scrubbed(&mut self) {
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
}

/// Whether a hidden name is what `below_root::replace` writes before it renames: the record's, and its process.
fn is_draft(hidden: &str) -> bool {
    let parts = hidden.rsplit_once('.').filter(|(name, _)| name.ends_with(".json"));
    parts.is_some_and(|(_, process)| process.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

fn small(dir: BorrowedFd<'_>, name: &str, bytes: &mut Vec<u8>) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?);
    let read = file.take(SMALL).read_to_end(bytes);
    read.map(drop).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}
