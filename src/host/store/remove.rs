//! Takes out of the store what was decided on: first by rename, so that nothing is there by halves, then for good.
//! It decides nothing. What cannot be removed is told, and the rest goes all the same.
//! Order: an image's own file first, on the disk, then those beside it, so that after a power cut an image is whole or absent.

use super::StoreDir;
use crate::host::mounts;
use crate::host::place::{Locked, Place};
use crate::image::publish::ImageName;
use crate::layout::{BLOBS, IMAGES, RECORDS, STORE, TRASH, VERSIONS};
use crate::store::verdict::{Item, Verdict};
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::path::Path;

/// Images that are locked at once: each takes two descriptors.
const BATCH: usize = 200;
/// What a block of `st_blocks` has (stat(3type)).
const STAT_BLOCK: u64 = 512;

/// What came of it.
#[derive(Debug, Default)]
pub struct Removed {
    /// What was taken out.
    pub items: Vec<Item>,
    /// Images that somebody was just making.
    pub busy: Vec<Item>,
    /// What could not be taken out, and why.
    pub failed: Vec<String>,
}

/// Takes out what goes. The caller holds the store alone.
pub fn take_out(store: &StoreDir, verdicts: &[Verdict]) -> Result<Removed> {
    store.make(TRASH)?;
    let mut remover = Remover { trash: Directory::open(store, TRASH)?, store, count: 0, done: Removed::default() };
    let goes =
        |wanted: fn(&Item) -> bool| verdicts.iter().filter(move |verdict| verdict.goes() && wanted(&verdict.item));
    let images: Vec<&Verdict> = goes(|item| matches!(item, Item::Image(_) | Item::Leftover(_))).collect();
    for batch in images.chunks(BATCH) {
        remover.images(batch)?;
    }
    let blobs: Vec<&Verdict> = goes(|item| matches!(item, Item::Blob(_) | Item::Piece(_))).collect();
    remover.each(BLOBS, &blobs)?;
    // Before links: what is on its way to a name would keep the directory of an app that is gone.
    let notes: Vec<&Verdict> = goes(|item| matches!(item, Item::Note(_))).collect();
    remover.each(STORE, &notes)?;
    let links: Vec<&Verdict> = goes(|item| matches!(item, Item::Version(..) | Item::Versions(_))).collect();
    remover.each(VERSIONS, &links)?;
    let records: Vec<&Verdict> = goes(|item| matches!(item, Item::Record(_))).collect();
    remover.each(RECORDS, &records)?;
    remover.done.items.sort_unstable();
    Ok(remover.done)
}

/// Deletes what has been taken out; the bytes that came free, and what could not be deleted.
pub fn empty_trash(store: &StoreDir) -> Result<(u64, Vec<String>)> {
    let (mut freed, mut failed) = (0, Vec::new());
    for name in crate::host::below_root::names(&store.at(TRASH))? {
        let path = store.at(TRASH).join(&name);
        let stat = rustix::fs::lstat(&path);
        match removed(&path) {
            // Under another name it is still there.
            Ok(()) => freed += stat.map_or(0, |stat| if stat.st_nlink == 1 { blocks(&stat) } else { 0 }),
            Err(error) => failed.push(format!("{}: {error:#}", path.display())),
        }
    }
    Ok((freed, failed))
}

/// Removes a file, or what a killed pull worked in.
fn removed(path: &Path) -> Result<()> {
    match rustix::fs::unlink(path) {
        Err(Errno::ISDIR) => mounts::remove_all(path),
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(std::io::Error::from(errno).into()),
    }
}

fn blocks(stat: &rustix::fs::Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * STAT_BLOCK
}

struct Directory {
    fd: OwnedFd,
    path: String,
}

impl Directory {
    fn open(store: &StoreDir, place: &str) -> Result<Self> {
        let path = store.at(place);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty());
        let fd = fd.with_context(|| format!("opening the directory {}", path.display()))?;
        Ok(Self { fd, path: path.display().to_string() })
    }

    fn sync(&self) -> Result<()> {
        rustix::fs::fsync(&self.fd).with_context(|| format!("syncing {}", self.path))
    }
}

struct Remover<'a> {
    store: &'a StoreDir,
    trash: Directory,
    count: usize,
    done: Removed,
}

impl Remover<'_> {
    /// Images and what is left of some, each under the lock of its makers.
    fn images(&mut self, batch: &[&Verdict]) -> Result<()> {
        let directory = Directory::open(self.store, IMAGES)?;
        let mut held: Vec<(&Verdict, Option<Locked>)> = Vec::new();
        for verdict in batch {
            match self.lock(&directory.path, &verdict.item) {
                Ok(Some(lock)) => held.push((verdict, lock)),
                Ok(None) => self.done.busy.push(verdict.item.clone()),
                Err(error) => self.done.failed.push(format!("{}: {error:#}", verdict.item)),
            }
        }
        let is_own = |verdict: &Verdict, name: &str| {
            matches!(verdict.item, Item::Image(_)) && (name.ends_with(".raw") || name.ends_with(".app.img"))
        };
        held.retain(|(verdict, _)| {
            let own = verdict.files.iter().filter(|name| is_own(verdict, name));
            self.move_all(&directory, verdict, own)
        });
        directory.sync()?;
        for (verdict, _lock) in held {
            let beside = verdict.files.iter().filter(|name| !is_own(verdict, name));
            if self.move_all(&directory, verdict, beside) {
                self.done.items.push(verdict.item.clone());
            }
        }
        Ok(())
    }

    /// The lock of an image's makers, which clears what a killed one has left; none if one is at it.
    /// A name that no maker can have needs none.
    #[allow(clippy::option_option, reason = "no lock needed, and no lock to be had, are two things")]
    fn lock(&self, directory: &str, item: &Item) -> Result<Option<Option<Locked>>> {
        let (Item::Image(name) | Item::Leftover(name)) = item else { return Ok(Some(None)) };
        match ImageName::parse(name) {
            Ok(name) => Ok(Place::open(directory, name)?.try_lock()?.map(Some)),
            Err(_) => Ok(Some(None)),
        }
    }

    /// Whether all were taken out.
    fn move_all<'n>(
        &mut self,
        directory: &Directory,
        verdict: &Verdict,
        names: impl Iterator<Item = &'n String>,
    ) -> bool {
        for name in names {
            if let Err(error) = self.move_one(directory, name) {
                self.done.failed.push(format!("{}: {error:#}", verdict.item));
                return false;
            }
        }
        true
    }

    fn move_one(&mut self, directory: &Directory, name: &str) -> Result<()> {
        self.count += 1;
        let new = format!("{}-{}", std::process::id(), self.count);
        let act = || format!("taking out {}/{name}", directory.path);
        match rustix::fs::renameat(&directory.fd, name, &self.trash.fd, &new) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // The trash is on another file system.
            Err(Errno::XDEV) => rustix::fs::unlinkat(&directory.fd, name, AtFlags::empty()).with_context(act),
            Err(errno) => Err(errno).with_context(act),
        }
    }

    /// What needs no order.
    fn each(&mut self, place: &str, verdicts: &[&Verdict]) -> Result<()> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let directory = Directory::open(self.store, place)?;
        for verdict in verdicts {
            if self.move_all(&directory, verdict, verdict.files.iter()) {
                if let Item::Versions(app) = &verdict.item {
                    self.forget(&self.store.at(VERSIONS).join(app));
                }
                self.done.items.push(verdict.item.clone());
            }
        }
        Ok(())
    }

    /// The directory of an app that is no more; what else is in it keeps it.
    fn forget(&mut self, path: &Path) {
        match rustix::fs::rmdir(path) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => {}
            Err(errno) => self.done.failed.push(format!("{}: {}", path.display(), std::io::Error::from(errno))),
        }
    }
}
