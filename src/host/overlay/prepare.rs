//! The data of overlays that are to be applied: copied and made beside everything, before anything is seen.
//! What is seen, and when, is `apply`'s. On a failure nothing of what was made stays.
//! Rules: docs/overlays.md, "All or nothing", steps 1 and 2.

use super::apply::{Applied, Planned, Request};
use super::{base, mounting, remove, target, version};
use crate::host::{clock, files};
use crate::layout::HOST_OVERLAYS;
use crate::overlay::record::{Base, FORMAT, Lifetime, Mode, Pending, Version};
use crate::overlay::{OverlayPaths, Record};
use anyhow::{Context, Result};
use std::path::Path;

/// An overlay whose data is there, and of which nothing is seen yet.
pub(super) struct Prepared {
    pub(super) record: Record,
    /// Its record before, if it was there.
    pub(super) old: Option<Record>,
    pub(super) switched: std::cell::Cell<Option<mounting::Switched>>,
    lost_attributes: u64,
}

impl Prepared {
    fn new_version(&self) -> (u32, Option<u32>) {
        let source = self.record.version().map(|version| version.source.number);
        (self.record.current, source)
    }

    pub(super) fn discard(&self) {
        let (version, source) = self.new_version();
        // What cannot be removed now, the recovery removes.
        let done = match &self.old {
            Some(_) => version::discard(&self.record, version, source),
            None => remove::erase(&self.record),
        };
        drop(done);
    }

    pub(super) fn into_applied(self) -> Applied {
        Applied { record: self.record, switched: self.switched.get(), lost_attributes: self.lost_attributes }
    }
}

/// Copies all sources, each in a thread of its own; on a failure nothing of them stays.
pub(super) fn prepare_all(requests: &[Request<'_>], planned: &[Planned]) -> Result<Vec<Prepared>> {
    let results: Vec<Result<Prepared>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            requests.iter().zip(planned).map(|(request, plan)| scope.spawn(|| prepare(request, plan))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|result| result.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread ended by itself")))).collect()
    });
    let mut fault = None;
    let mut prepared = Vec::new();
    for result in results {
        match result {
            Ok(one) => prepared.push(one),
            Err(error) => drop(fault.get_or_insert(error)),
        }
    }
    match fault {
        None => Ok(prepared),
        Some(error) => {
            prepared.iter().for_each(Prepared::discard);
            Err(error)
        }
    }
}

pub(super) fn prepare(request: &Request<'_>, plan: &Planned) -> Result<Prepared> {
    let record = draft(request, plan);
    let (version, source) = match &plan.existing {
        Some(existing) => (existing.next_number(), existing.next_source()),
        None => (1, 1),
    };
    let made = make(request, plan, record, version, source);
    made.with_context(|| format!("applying {}", plan.name))
}

/// A record without versions, of what is asked for.
fn draft(request: &Request<'_>, plan: &Planned) -> Record {
    let spec = &request.spec;
    let existing = plan.existing.as_ref();
    Record {
        format: FORMAT,
        name: spec.name.clone(),
        target: plan.target.clone(),
        kind: plan.kind,
        mode: spec.mode,
        lifetime: spec.lifetime,
        size: spec.size,
        owner: spec.owner,
        description: spec.description.as_ref().map(|text| text.as_str().to_owned()),
        created: existing.map_or_else(clock::now, |record| record.created),
        base: Base::default(),
        base_changed: spec.base_changed,
        options: spec.options.iter().map(|option| option.as_str().to_owned()).collect(),
        declared: spec.declared.clone(),
        pending: existing.is_none().then_some(Pending::Apply),
        current: existing.map_or(0, |record| record.current),
        versions: existing.map(|record| record.versions.clone()).unwrap_or_default(),
    }
}

fn make(request: &Request<'_>, plan: &Planned, mut record: Record, number: u32, source: u32) -> Result<Prepared> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    if record.lifetime == Lifetime::Persistent {
        files::make_directory(HOST_OVERLAYS, 0o755)?;
    }
    for dir in [&paths.live, &paths.data] {
        files::make_directory(dir, 0o755)?;
    }
    let undo = |record: &Record| match plan.existing {
        Some(_) => drop(version::discard(record, number, Some(source))),
        None => drop(remove::erase(record)),
    };
    let made = copy(request, &record, number, source);
    let (version, copied_base, lost) = match made {
        Ok(made) => made,
        Err(error) => {
            undo(&record);
            return Err(error);
        }
    };
    record.base = copied_base;
    record.advance(version);
    Ok(Prepared { record, old: plan.existing.clone(), switched: std::cell::Cell::new(None), lost_attributes: lost })
}

fn copy(request: &Request<'_>, record: &Record, number: u32, source: u32) -> Result<(Version, Base, u64)> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let from = request.spec.source.as_str();
    let name = from.rsplit('/').next().unwrap_or_default();
    let (kind, copied) = version::copy_source(record, &request.source, source, name, request.limits)?;
    let content = base::content(record, source, &kind)?;
    (request.inspect)(&content.path)?;
    version::make_writable(record, number)?;
    if record.lifetime == Lifetime::Persistent {
        sync_directory(&paths.data)?;
    }
    // On a later version the target is hidden; its view is where the first one left it.
    let view = paths.base();
    let beneath =
        if target::mounts()?.top(&view).is_some() { Path::new(&view) } else { Path::new(record.target.as_str()) };
    let base = base::identify(beneath, &content.path, record.kind).context("looking at what will be hidden")?;
    let source = version::source(source, from, kind, copied);
    let size = (record.mode == Mode::Writable).then_some(record.size);
    let version = Version { number, made: clock::now(), by: request.by, source, size, committed: Vec::new() };
    Ok((version, base, copied.lost_attributes))
}

/// Everything below a directory's file system is on the disk before a record says that it is there.
fn sync_directory(path: &str) -> Result<()> {
    let act = || format!("syncing {path}");
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).with_context(act)?;
    rustix::fs::syncfs(&directory).with_context(act)
}
