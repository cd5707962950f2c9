//! `apply`: overlays laid over the host, several together or none of them.
//! What may be asked for is `crate::overlay`'s; who may ask, the caller's.
//! The order is that of docs/overlays.md, "All or nothing": copies first, beside everything; then the records; then what is
//! seen, in one go; on any failure everything that was seen is taken back, and what was copied goes.

use super::copy::Limits;
use super::prepare::{Prepared, prepare_all};
use super::registry::{self, Registry};
use super::version::{self, Opened};
use super::{layers, mounting, recover, target, units};
use crate::host::journal::Journal;
use crate::layout::GENERATOR_DIR;
use crate::overlay::record::{Act, Kind, Mode};
use crate::overlay::units::{LAYERS, Plan};
use crate::overlay::{OverlayName, OverlayPaths, Record, Spec};
use crate::path::AbsPath;
use crate::unit::UnitName;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::path::Path;

/// One overlay to be applied.
pub struct Request<'a> {
    /// What is asked for.
    pub spec: Spec,
    /// Its source, open.
    pub source: Opened,
    /// What the source may have.
    pub limits: Limits,
    /// By which act.
    pub by: Act,
    /// Looks at the copy of the source before anything is seen of it; an error refuses it.
    pub inspect: &'a (dyn Fn(&Path) -> Result<()> + Sync),
}

impl<'a> Request<'a> {
    /// A request of an admin, whose sources are not inspected.
    pub fn of_admin(spec: Spec, by: Act) -> Result<Self> {
        let source = version::open(spec.source.as_str())?;
        Ok(Self { spec, source, limits: Limits::NONE, by, inspect: &|_| Ok(()) })
    }
}

/// What is to become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The overlay's name.
    pub name: OverlayName,
    /// Where it really is to lie.
    pub target: AbsPath,
    /// What the target is.
    pub kind: Kind,
    /// The record of the overlay that is there and gets a new version.
    pub existing: Option<Record>,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its record.
    pub record: Record,
    /// How the new version took the place of an older one; none for a new overlay.
    pub switched: Option<mounting::Switched>,
    /// Attributes that the overlay's file system does not take.
    pub lost_attributes: u64,
}

/// Finds out what requests come to, without doing anything.
pub fn plan(specs: &[&Spec], registry: &Registry) -> Result<Vec<Planned>> {
    let planned = resolve(specs, registry)?;
    for one in &planned {
        match &one.existing {
            Some(record) => recover::refuse_if_down(record)?,
            None => refuse_declared(&one.name)?,
        }
    }
    Ok(planned)
}

/// What a file declares comes up by its own units: they would wait for the lock of the act that starts them.
fn refuse_declared(name: &OverlayName) -> Result<()> {
    let layers = UnitName::service_of(LAYERS, name.as_instance());
    let generated = format!("{GENERATOR_DIR}/{layers}.d");
    if std::fs::exists(&generated).with_context(|| format!("looking for {generated}"))? {
        let what = "is declared in overlays.d: start its mount, or mask its file and reload";
        return Err(Fault::data(format!("{name} {what}")).into());
    }
    Ok(())
}

/// The same for overlays that need not be up.
pub(super) fn resolve(specs: &[&Spec], registry: &Registry) -> Result<Vec<Planned>> {
    let table = target::mounts()?;
    let mut planned: Vec<Planned> = Vec::new();
    for spec in specs {
        spec.check().map_err(Fault::data)?;
        let found = target::find(&spec.target)?;
        let existing = registry.find(&spec.name).cloned();
        crate::overlay::target::check(&found.path, spec.force_target.as_ref()).map_err(Fault::data)?;
        let recorded = registry.iter().map(|record| (&record.name, &record.target));
        let beside = planned.iter().map(|other| (&other.name, &other.target)).chain(recorded);
        crate::overlay::target::check_beside(&spec.name, &found.path, beside).map_err(Fault::data)?;
        if planned.iter().any(|other| other.name == spec.name) {
            return Err(Fault::data(format!("two overlays are to be called {}", spec.name)).into());
        }
        match &existing {
            Some(record) => fits(spec, record, &found)?,
            None if table.top(found.path.as_str()).is_some() => {
                let text = format!("{} is a mount point, whose unit is its own: choose a directory in it", found.path);
                return Err(Fault::data(text).into());
            }
            None => target::refuse_mounts_below(&table, &found.path)?,
        }
        planned.push(Planned { name: spec.name.clone(), target: found.path, kind: found.kind, existing });
    }
    Ok(planned)
}

/// A new version is of the same overlay: what its unit says cannot change beneath it.
fn fits(spec: &Spec, record: &Record, found: &target::Found) -> Result<()> {
    let options: Vec<&str> = spec.options.iter().map(|option| option.as_str()).collect();
    let differs = match () {
        () if record.target != found.path => format!("lies over {}", record.target),
        () if record.owner != spec.owner => format!("is uid {}'s", record.owner),
        () if record.mode != spec.mode => format!("is {}", record.mode.name()),
        () if record.lifetime != spec.lifetime => format!("is {}", record.lifetime.name()),
        () if record.options != options => "has other mount options".to_owned(),
        () => return Ok(()),
    };
    Err(Fault::data(format!("the overlay {} is there, and {differs}: remove it first", record.name)).into())
}

/// Applies all of them, or none.
pub fn apply(requests: &[Request<'_>], journal: &Journal) -> Result<Vec<Applied>> {
    units::systemd()?;
    let _lock = registry::lock()?;
    let registry = recover::before_act(journal)?;
    let specs: Vec<&Spec> = requests.iter().map(|request| &request.spec).collect();
    let planned = plan(&specs, &registry)?;
    let prepared = prepare_all(requests, &planned)?;
    let result = show_all(&prepared);
    if result.is_err() {
        prepared.iter().for_each(Prepared::discard);
    }
    result?;
    for old in prepared.iter().filter_map(|one| one.old.as_ref()) {
        forget_versions(old, &prepared)?;
    }
    Ok(prepared.into_iter().map(Prepared::into_applied).collect())
}

/// Writes the records and lets everything be seen; on a failure everything is as it was.
fn show_all(prepared: &[Prepared]) -> Result<()> {
    let new: Vec<&Prepared> = prepared.iter().filter(|one| one.old.is_none()).collect();
    let records: Vec<&Record> = new.iter().map(|one| &one.record).collect();
    let shown = start_all(&records)
        .and_then(|()| switch_all(prepared))
        .and_then(|()| new.iter().try_for_each(|one| registry::write(&Record { pending: None, ..one.record.clone() })));
    if shown.is_err() {
        for record in records {
            // The fault that is reported is the first one.
            drop(units::stop(record));
            drop(units::remove(record));
            drop(units::forget(record));
        }
    }
    shown
}

fn start_all(records: &[&Record]) -> Result<()> {
    for record in records {
        registry::write(record)?;
        units::write(record)?;
    }
    units::start(records)
}

fn switch_all(prepared: &[Prepared]) -> Result<()> {
    let old = |one: &Prepared| one.old.clone();
    let mut done = Vec::new();
    for (one, old) in prepared.iter().filter_map(|one| Some((one, old(one)?))) {
        match switch(&one.record) {
            Ok(switched) => {
                one.switched.set(Some(switched));
                done.push((one, old));
            }
            Err(error) => {
                for (_, old) in done.iter().rev() {
                    drop(switch(old));
                }
                drop(registry::write(&old));
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Records a version as the one in use, and lets it be seen in place of the other.
pub(super) fn switch(record: &Record) -> Result<mounting::Switched> {
    let version = record.version().context("the record has no version in use")?;
    let before = layers::version_in_use(&OverlayPaths::new(&record.name, record.lifetime));
    layers::raise(record, version)?;
    registry::write(record)?;
    layers::use_version(record, record.current)?;
    let shown = mount_over(record);
    if let (Err(_), Some(before)) = (&shown, before) {
        layers::use_version(record, before)?;
    }
    shown
}

/// Mounts the version in use in the place of the mount that is there.
pub(super) fn mount_over(record: &Record) -> Result<mounting::Switched> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    // The mount that goes has those of the target's own, which it was made with, and what an admin gave it since.
    let guards = mounting::guards(record.target.as_str())?;
    let plan = Plan::of(record, &guards);
    let mount = match record.kind {
        Kind::File => mounting::view(&crate::overlay::units::bound_file(&paths, record.mode))?,
        Kind::Directory => {
            let lower = crate::overlay::units::lower(&paths, record.mode);
            let layers = paths.in_use();
            mounting::overlay(&mounting::Overlay {
                source: crate::overlay::units::mount_source(&record.name),
                lower: &lower,
                upper: (record.mode == Mode::Writable).then(|| (layers.upper(), layers.work())),
                options: plan.overlay_options(),
                guards: plan.guards.clone(),
            })?
        }
    };
    let switched = mounting::switch(&mount, record.target.as_str())?;
    if record.kind == Kind::File {
        mounting::restrict(record.target.as_str(), record.mode, &plan.guards)?;
    }
    Ok(switched)
}

/// Takes the data of versions away that are not kept any more.
fn forget_versions(old: &Record, prepared: &[Prepared]) -> Result<()> {
    let Some(new) = prepared.iter().find(|one| one.record.name == old.name) else { return Ok(()) };
    forget(old, &new.record)
}

/// The layers of the version before come off, and data that no version has any more goes.
pub(super) fn forget(old: &Record, new: &Record) -> Result<()> {
    for version in &old.versions {
        let source = version.source.number;
        let source = (!new.versions.iter().any(|kept| kept.source.number == source)).then_some(source);
        match new.find(version.number) {
            Some(_) if version.number != new.current => layers::lower(new, version.number)?,
            Some(_) => {}
            None => version::discard(old, version.number, source)?,
        }
    }
    Ok(())
}
