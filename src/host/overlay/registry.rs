//! All overlays there are: their records, read and written, under one lock.
//! It judges none; what a record says is `crate::overlay::record`.
//! A record is written under another name, synced and renamed: it is whole or absent. The lock goes with its process.

use crate::host::{below_root, files};
use crate::layout::{HOST_OVERLAYS, HOST_OVERLAYS_LIVE};
use crate::overlay::record::Lifetime;
use crate::overlay::{OverlayName, OverlayPaths, Record};
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::path::Path;

/// Holds off everybody else who would change an overlay.
#[derive(Debug)]
pub struct Lock {
    _file: OwnedFd,
}

/// The records of both kinds, by name.
#[derive(Debug, Default)]
pub struct Registry {
    records: Vec<Record>,
    /// Directories without a readable record: path and reason.
    pub unreadable: Vec<(String, String)>,
}

/// Takes the lock, waiting for whoever has it.
pub fn lock() -> Result<Lock> {
    let act = || format!("locking {HOST_OVERLAYS_LIVE}");
    for dir in ["/run/veneer", HOST_OVERLAYS_LIVE] {
        files::make_directory(dir, 0o755)?;
    }
    let path = format!("{HOST_OVERLAYS_LIVE}/.lock");
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600)).with_context(act)?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive).with_context(act)?;
    Ok(Lock { _file: file })
}

impl Registry {
    /// Reads every record.
    pub fn read() -> Result<Self> {
        let mut all = Self::default();
        for (dir, lifetime) in [(HOST_OVERLAYS_LIVE, Lifetime::Transient), (HOST_OVERLAYS, Lifetime::Persistent)] {
            for name in files::names_in(dir)? {
                if let Ok(name) = OverlayName::parse(&name) {
                    all.take(&name, lifetime);
                }
            }
        }
        all.records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn take(&mut self, name: &OverlayName, lifetime: Lifetime) {
        let paths = OverlayPaths::new(name, lifetime);
        let read = below_root::read(Path::new(&paths.record())).map_err(|error| format!("{error:#}"));
        let parsed = read.and_then(|text| match text {
            // The live directory of a persistent overlay has no record of its own.
            None => Ok(None),
            Some(text) => Record::parse(&text).map(Some),
        });
        match parsed {
            Ok(Some(record)) if record.name == *name && record.lifetime == lifetime => self.records.push(record),
            Ok(Some(_)) => self.unreadable.push((paths.record(), "it is the record of another overlay".into())),
            Ok(None) => {}
            Err(reason) => self.unreadable.push((paths.record(), reason)),
        }
    }

    /// The record of one overlay.
    pub fn find(&self, name: &OverlayName) -> Option<&Record> {
        self.records.iter().find(|record| record.name == *name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// Keeps a record for what is decided after it has been written.
    pub fn put(&mut self, record: Record) {
        self.records.retain(|other| other.name != record.name);
        self.records.push(record);
        self.records.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// Writes a record, so that it is whole or absent.
pub fn write(record: &Record) -> Result<()> {
    let path = OverlayPaths::new(&record.name, record.lifetime).record();
    let text = record.to_text().with_context(|| format!("writing {path}"))?;
    below_root::replace(Path::new(&path), text)
}
