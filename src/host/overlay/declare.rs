//! A declared overlay, made what its file says, and its layers brought up; the mount is its unit's business.
//! What a changed declaration means is `crate::overlay::declared`'s; what is typed on a command line, `apply`'s.
//! It runs in `veneer-overlay-host@.service`, while neither layers nor mount are up.

use super::apply::{self, Planned, Request};
use super::prepare::prepare;
use super::recover::Verdict;
use super::registry::{self, Registry};
use super::{act, base, layers, mounting, recover, remove, version};
use crate::host::journal::Journal;
use crate::host::{clock, files};
use crate::overlay::declared::{Follow, follow, noted};
use crate::overlay::record::{Act, Kind, Lifetime, Version};
use crate::overlay::recovery::{Data, Mounted};
use crate::overlay::{Guards, OverlayPaths, Record, Spec};
use crate::verity::Fault;
use anyhow::{Context, Result};

/// Makes a declared overlay, or makes what is there follow its declaration, and brings its layers up.
pub fn declare(spec: &Spec, journal: &Journal) -> Result<()> {
    let _lock = registry::lock()?;
    let registry = without_data_gone(spec)?;
    let follow = registry.find(&spec.name).map(|record| follow(spec, record)).transpose().map_err(Fault::data)?;
    let planned = apply::resolve(&[spec], &registry)?;
    let found = planned.first().context("nothing was planned")?;
    check(spec, found)?;
    match (&found.existing, follow) {
        (None, _) | (_, None | Some(Follow::Source)) => make(spec, found),
        (Some(record), Some(follow)) => go_on(spec, record, follow, journal),
    }
}

/// The overlays there are; this one only if its data is.
fn without_data_gone(spec: &Spec) -> Result<Registry> {
    let registry = Registry::read()?;
    let Some(record) = registry.find(&spec.name) else { return Ok(registry) };
    let found = recover::find(record)?;
    if found.data == Data::Whole || found.mounted == Mounted::Yes {
        return Ok(registry);
    }
    remove::erase(record)?;
    Registry::read()
}

fn check(spec: &Spec, found: &Planned) -> Result<()> {
    let target = &spec.target;
    if found.target != *target {
        return Err(Fault::data(format!("{target} leads to {}: write that", found.target)).into());
    }
    if found.kind == Kind::File {
        return Err(Fault::data(format!("{target} is a file: a declared overlay lies over a directory")).into());
    }
    refuse_fewer_guards(spec)
}

/// A declared overlay's mount is written before the mount that its target is on is there; so a person says what that one
/// keeps programs from, or the overlay would let them.
fn refuse_fewer_guards(spec: &Spec) -> Result<()> {
    let options: Vec<String> = spec.options.iter().map(|option| option.as_str().to_owned()).collect();
    let lacks = Guards::of_options(&options).lacks(&mounting::guards(spec.target.as_str())?).names();
    match lacks.is_empty() {
        true => Ok(()),
        false => {
            let (target, lacks) = (&spec.target, lacks.join(" and "));
            let text = format!("{target} is on a mount with {lacks}: add that to the overlay's options");
            Err(Fault::data(text).into())
        }
    }
}

/// The first version, or one of another source.
fn make(spec: &Spec, found: &Planned) -> Result<()> {
    let prepared = prepare(&Request::of_admin(spec.clone(), Act::Apply)?, found)?;
    let record = Record { pending: None, ..prepared.record.clone() };
    let up = registry::write(&record).and_then(|()| layers::up(&record));
    match (&up, &prepared.old) {
        (Err(_), None) => prepared.discard(),
        (Ok(()), Some(old)) => apply::forget(old, &record)?,
        _ => {}
    }
    up
}

/// What is there, with what the declaration says now.
fn go_on(spec: &Spec, record: &Record, follow: Follow, journal: &Journal) -> Result<()> {
    let new = noted(spec, record);
    // Of a transient one, the base is from this boot.
    if new.lifetime == Lifetime::Persistent {
        if let Verdict::Hold(why) = recover::look_at_base(&new, journal)? {
            return Err(Fault::data(format!("it is held back: {why}")).into());
        }
    }
    match follow {
        Follow::Size => resize(new, record),
        _ => {
            if new != *record {
                registry::write(&new)?;
            }
            layers::up(&new)
        }
    }
}

/// A version whose writable side has another size. On a failure the one before is there as it was.
fn resize(mut new: Record, old: &Record) -> Result<()> {
    let from = old.version().context("the record has no version in use")?;
    let (paths, number) = (OverlayPaths::new(&new.name, new.lifetime), old.next_number());
    files::make_directory(&paths.live, 0o755)?;
    base::keep(&paths, &new.target, new.kind)?;
    let (source, size) = (from.source.clone(), Some(new.size));
    new.advance(Version { number, made: clock::now(), by: Act::Apply, source, size, committed: Vec::new() });
    let made = version::make_writable(&new, number)
        .and_then(|()| act::copy_written(&new, from, number))
        .with_context(|| format!("copying what was written to a writable side of {} bytes", new.size))
        .and_then(|()| registry::write(&new))
        .and_then(|()| layers::up(&new));
    match made {
        Ok(()) => apply::forget(old, &new),
        Err(error) => {
            // The fault that is reported is the first one.
            drop(registry::write(old));
            drop(version::discard(old, number, None));
            Err(error)
        }
    }
}
