//! The versions of one app on the disk, locked: taken, forgotten, gone back from.
//! It decides nothing: `version::decide` does.
//! Order: the history first, `current` last (docs/pull.md).

use crate::host::below_root;
use crate::host::clock;
use crate::host::store::notes::small;
use crate::host::store::{StoreDir, StoreLock};
use crate::image::publish::ImageName;
use crate::layout::{HISTORIES, VERSIONS};
use crate::name::AppId;
use crate::store::versions::{self, CURRENT, Version, Versions};
use crate::verity::Fault;
use crate::version::decide::{before, current};
use crate::version::{Decision, History, Start, decide};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// An app's versions on the disk, locked.
pub struct App<'a> {
    store: &'a StoreDir,
    dir: PathBuf,
    versions: Versions,
    history: History,
    _held: StoreLock,
    _lock: rustix::fd::OwnedFd,
}

impl<'a> App<'a> {
    /// Reads them; one at a time changes them.
    pub fn open(store: &'a StoreDir, app: AppId) -> Result<Self> {
        // A prune takes what is on its way to a name for a killed writer's.
        let held = StoreLock::share(store)?;
        let dir = store.make(&format!("{VERSIONS}/{app}"))?;
        let act = || format!("locking {}", dir.display());
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let lock = rustix::fs::open(&dir, flags, rustix::fs::Mode::empty()).with_context(act)?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).with_context(act)?;
        let names = below_root::names(&dir)?;
        let links =
            names.into_iter().filter_map(|name| below_root::link(&dir.join(&name)).map(|target| (name, target)));
        let about = |said: String| Fault::data(format!("{}: {said}", dir.display()));
        let history = match small(&history_path(store, &app))? {
            Some(text) => History::parse(&text).map_err(about)?,
            None => History::default(),
        };
        let versions = Versions::of(app, links).map_err(about)?;
        Ok(Self { store, dir, versions, history, _held: held, _lock: lock })
    }

    /// Has the app use an image, if that is what is to be.
    pub(super) fn take(mut self, reference: &str, image: &ImageName, start: Start, keep: u32) -> Result<Decision> {
        let decision = decide(&self.versions, &self.history, reference, image);
        let number = match &decision {
            Decision::Keep(version) | Decision::Stay(version) => version.number,
            Decision::Switch(version, history) => {
                self.history = history.clone();
                self.switch(version)?;
                self.versions.versions.push(version.clone());
                self.versions.current = Some(image.clone());
                version.number
            }
        };
        let before = self.history.clone();
        if start == Start::Now {
            self.history.start(number, clock::now());
        }
        self.forget(keep)?;
        if self.history != before {
            self.write_history()?;
        }
        Ok(decision)
    }

    /// The history first: whatever happens then, nothing is taken for good that has not come up.
    fn switch(&self, version: &Version) -> Result<()> {
        self.write_history()?;
        let target = versions::target(&version.image);
        below_root::link_anew(&self.dir.join(version.number.to_string()), &target)?;
        below_root::link_anew(&self.dir.join(CURRENT), &target)
    }

    fn write_history(&self) -> Result<()> {
        below_root::replace(&history_path(self.store, &self.versions.app), self.history.to_text()?)
    }

    /// Removes the links to versions that are not to stay.
    fn forget(&mut self, keep: u32) -> Result<()> {
        let back = self.history.trial.as_ref().map(|trial| trial.previous);
        let kept: Vec<u64> = self.versions.kept(keep as usize).iter().map(|version| version.number).collect();
        let gone = self.versions.versions.iter().map(|version| version.number);
        let gone: Vec<u64> = gone.filter(|number| !kept.contains(number) && back != Some(*number)).collect();
        for number in &gone {
            below_root::remove(&self.dir.join(number.to_string()))?;
            self.history.made_from.remove(number);
        }
        Ok(())
    }

    /// Goes back to the version before; the two versions.
    pub fn back(mut self) -> Result<(Version, Version)> {
        let (from, to) = self.ahead()?;
        self.history.leave(from.number, &from.image);
        self.write_history()?;
        below_root::link_anew(&self.dir.join(CURRENT), &versions::target(&to.image))?;
        Ok((from, to))
    }

    /// The version in use and the one that a way back leads to.
    pub fn ahead(&self) -> Result<(Version, Version)> {
        let nothing = || {
            let said = match current(&self.versions) {
                None => format!("{} has no version yet: it gets one when it is started", self.versions.app),
                Some(_) => format!("{} has no version before this one that was made from the same", self.versions.app),
            };
            Fault::no_input(said)
        };
        let (from, to) = before(&self.versions, &self.history).ok_or_else(nothing)?;
        Ok((from.clone(), to.clone()))
    }

    /// When the app was first started with the version in use, if that has yet to show that it comes up.
    pub fn on_trial_since(&self) -> Option<u64> {
        let number = current(&self.versions).map(|version| version.number);
        self.history.trial.as_ref().filter(|trial| Some(trial.version) == number)?.started
    }
}

fn history_path(store: &StoreDir, app: &AppId) -> PathBuf {
    store.at(HISTORIES).join(format!("{app}.json"))
}
