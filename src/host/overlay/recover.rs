//! Recovery: acts that broke off are finished or undone, orphans go, persistent overlays come back.
//! What follows from what was found is `crate::overlay::recovery`'s; here it is found and done.
//! It runs at boot, and before every act: so a killed process leaves nothing that the next one trips over.

use super::measure::{Look, State};
use super::registry::{self, Registry};
use super::{apply, base, layers, remove, target, units, version};
use crate::host::files;
use crate::host::journal::{Entry, Journal, Weight};
use crate::layout::{HOST_OVERLAYS, HOST_OVERLAYS_LIVE};
use crate::message::{self, MessageId};
use crate::overlay::mount_table::MountTable;
use crate::overlay::record::{Lifetime, Mode, OnChange, SourceKind};
use crate::overlay::recovery::{Cure, Data, Found, Mounted, When, cure};
use crate::overlay::units::Names;
use crate::overlay::{OverlayName, OverlayPaths, Record};
use crate::verity::Fault;
use anyhow::Result;
use std::path::Path;

/// The recovery at boot: one overlay that cannot be brought back keeps none of the others.
pub fn at_boot(journal: &Journal) -> Result<()> {
    let _lock = registry::lock()?;
    let registry = Registry::read()?;
    tell_unreadable(&registry, journal);
    let mut faults = 0;
    let mut records: Vec<&Record> = registry.iter().collect();
    records.sort_by_key(|record| record.created);
    for record in records {
        if let Err(error) = one(record, When::Boot, journal) {
            faults += 1;
            let text = format!("recovering {}: {error:#}", record.name);
            say(Weight::Error, message::HOST_OVERLAY_FAILED, record, journal, &text);
        }
    }
    remove_orphans(&registry)?;
    if faults > 0 { anyhow::bail!("{faults} of the overlays could not be brought back") } else { Ok(()) }
}

/// The same before another act; the caller holds the lock. What is as it should be costs a look at the mounts.
pub fn before_act(journal: &Journal) -> Result<Registry> {
    let registry = Registry::read()?;
    let mut changed = false;
    for record in registry.iter() {
        changed |= one(record, When::Between, journal)?;
    }
    changed |= remove_orphans(&registry)?;
    if changed { Registry::read() } else { Ok(registry) }
}

fn one(record: &Record, when: When, journal: &Journal) -> Result<bool> {
    let told = |text: &str| say(Weight::Warning, message::HOST_OVERLAY_RECOVERED, record, journal, text);
    match cure(record, find(record)?, when) {
        Cure::Nothing => {
            tidy(record)?;
            return Ok(false);
        }
        Cure::Undo => {
            remove::finish(record)?;
            told(&format!("{}: its apply had broken off and was undone", record.name));
        }
        Cure::FinishRemoval => {
            remove::finish(record)?;
            told(&format!("{}: its removal had broken off and was finished", record.name));
        }
        Cure::Switch => {
            apply::switch(record)?;
            tidy(record)?;
            told(&format!("{}: version {} had been recorded and is in its place now", record.name, record.current));
        }
        Cure::Erase => {
            // No systemctl stop: where the overlay is declared anew, that would cancel the start that waits for this.
            units::remove(record)?;
            remove::erase(record)?;
            told(&format!("{}: its data is gone, and so it was removed", record.name));
        }
        // The unit that the generator made of its file brings it up.
        Cure::Mount if record.declared.is_some() => return Ok(false),
        Cure::Mount => mount(record, journal)?,
    }
    Ok(true)
}

/// Whether an overlay is mounted, and which version is up.
pub fn find(record: &Record) -> Result<Found> {
    let table = target::mounts()?;
    let mounted = if table.top(record.target.as_str()).is_some() { Mounted::Yes } else { Mounted::No };
    let in_use = layers::version_in_use(&OverlayPaths::new(&record.name, record.lifetime));
    Ok(Found { mounted, in_use, data: data(record, &table) })
}

/// Whether the mounts are there that the data of a transient overlay is.
fn data(record: &Record, mounts: &MountTable) -> Data {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let Some(version) = record.version().filter(|_| record.lifetime == Lifetime::Transient) else { return Data::Whole };
    let source = (version.source.kind == SourceKind::Tree).then(|| paths.source(version.source.number));
    let written = (record.mode == Mode::Writable).then(|| paths.writable(version.number));
    let whole = source.iter().chain(&written).all(|place| mounts.top(place).is_some());
    if whole { Data::Whole } else { Data::Gone }
}

/// Refuses an overlay that does not lie over its target: a new version has nothing whose place it could take.
pub fn refuse_if_down(record: &Record) -> Result<()> {
    let name = &record.name;
    let unit = Names::new(name, &record.target).mount;
    let text = match Look::now()?.state(record) {
        State::Held(why) => format!("{name} is held back: {why}. Run veneer overlay accept {name} first"),
        State::Stopped => format!("{name} is not mounted: run systemctl start {unit} first"),
        State::Active | State::Changing => return Ok(()),
    };
    Err(Fault::data(text).into())
}

/// Brings a persistent overlay back, unless what lies beneath has changed and it says to wait.
fn mount(record: &Record, journal: &Journal) -> Result<()> {
    tidy(record)?;
    let found = target::find(&record.target)?;
    if found.path != record.target || found.kind != record.kind {
        anyhow::bail!("{} is not what it was when the overlay was applied", record.target);
    }
    match look_at_base(record, journal)? {
        Verdict::Hold(_) => Ok(()),
        Verdict::Mount => {
            units::write(record)?;
            units::start(&[record])
        }
    }
}

/// What follows from what lies beneath.
pub(super) enum Verdict {
    /// The overlay may be mounted.
    Mount,
    /// It waits until somebody has looked, for this reason.
    Hold(String),
}

/// Looks at what lies beneath an overlay that is not mounted, and tells if it has changed.
pub(super) fn look_at_base(record: &Record, journal: &Journal) -> Result<Verdict> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let changed = changed_base(record)?;
    files::make_directory(&paths.live, 0o755)?;
    match (&changed, record.base_changed) {
        (Some(why), OnChange::Hold) => {
            std::fs::write(paths.held(), format!("{why}\n"))?;
            let text = format!(
                "{name} is held back: {why}. Look at it with veneer overlay diff {name}, then veneer overlay accept {name}",
                name = record.name
            );
            say(Weight::Warning, message::HOST_OVERLAY_HELD, record, journal, &text);
            return Ok(Verdict::Hold(why.clone()));
        }
        (Some(why), OnChange::Warn) => {
            let text = format!("{} lies over something else than before: {why}", record.name);
            say(Weight::Warning, message::HOST_OVERLAY_BASE, record, journal, &text);
        }
        (None, _) => {}
    }
    files::remove_file(&paths.held())?;
    Ok(Verdict::Mount)
}

/// What is different beneath an overlay that is not mounted.
pub fn changed_base(record: &Record) -> Result<Option<String>> {
    let Some(version) = record.version() else { return Ok(None) };
    let content = base::content(record, version.source.number, &version.source.kind)?;
    let now = base::identify(Path::new(record.target.as_str()), &content.path, record.kind)?;
    Ok(match () {
        () if now.hidden != record.base.hidden => Some(format!("what it hides in {} has changed", record.target)),
        () if now.system != record.base.system => {
            Some(format!("the system is {}, and was {}", now.system, record.base.system))
        }
        () => None,
    })
}

/// Removes data that the record does not know: of a version that never came to be.
fn tidy(record: &Record) -> Result<()> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    for name in files::names_in(&paths.data)? {
        let number = |text: &str| text.split('.').next().and_then(|number| number.parse::<u32>().ok());
        let written = name.strip_prefix("written-").and_then(number);
        if let Some(written) = written.filter(|written| record.find(*written).is_none()) {
            version::discard(record, written, None)?;
        }
        let is_known = |source: &u32| record.versions.iter().any(|version| version.source.number == *source);
        let source = name.strip_prefix("source-").and_then(number);
        if let Some(source) = source.filter(|source| !is_known(source)) {
            version::discard(record, 0, Some(source))?;
        }
    }
    for name in files::names_in(&paths.live)? {
        let number = name.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
        if let Some(number) = number.filter(|number| *number != record.current) {
            layers::lower(record, number)?;
        }
    }
    Ok(())
}

/// Removes directories that no record is of; true if there was one.
fn remove_orphans(registry: &Registry) -> Result<bool> {
    let mut found = false;
    for dir in [HOST_OVERLAYS_LIVE, HOST_OVERLAYS] {
        for name in files::names_in(dir)? {
            let path = format!("{dir}/{name}");
            let unreadable = registry.unreadable.iter().any(|(file, _)| file.starts_with(&format!("{path}/")));
            let is_orphan = OverlayName::parse(&name).is_ok_and(|name| registry.find(&name).is_none());
            // What cannot be read is somebody's data for all that is known.
            if is_orphan && !unreadable {
                version::remove(&path)?;
                found = true;
            }
        }
    }
    Ok(found)
}

fn tell_unreadable(registry: &Registry, journal: &Journal) {
    for (path, reason) in &registry.unreadable {
        let entry = Entry::about_image(Weight::Error, message::HOST_OVERLAY_FAILED, None);
        entry.say(journal, &format!("reading {path}: {reason}"));
    }
}

fn say(weight: Weight, id: MessageId, record: &Record, journal: &Journal, text: &str) {
    Entry::about_overlay(weight, id, record.name.as_str()).say(journal, text);
}
