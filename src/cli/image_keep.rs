//! `veneer image pin`, `unpin` and `rm`: what stays whatever refers to it, and what goes although a prune is far.
//! What uses an image is `store::in_use`'s to say; what is in use does not go.
//! Which image is meant is `image_find`'s to say.

use super::args::{ImagePin, ImageRm, ImageUnpin};
use super::context::Context;
use super::fault::fault;
use super::image_find::find;
use super::time;
use crate::host::clock;
use crate::host::store::roots::{self, Roots};
use crate::host::store::{Hold, Reading, StoreDir, StoreLock, check_access, notes, read, remove};
use crate::image::publish::ImageName;
use crate::store::in_use::InUse;
use crate::store::prune::{Now, Reach, decide};
use crate::store::verdict::{Item, Verdict};
use crate::store::{Pin, Store};
use crate::sysexits::Exit;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long others are waited for who read or make images.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn pin(context: &Context, args: &ImagePin) -> Result<String> {
    let dir = StoreDir::below(&context.root);
    // A prune that has not seen the pin must not come between.
    let _held = if args.dry.dry_run { None } else { Some(StoreLock::share(&dir)?) };
    let names = named(context, &whole(&dir)?, &args.images)?;
    let pin = Pin { when: clock::now(), reason: args.reason.clone() };
    each(&names, |name| {
        if args.dry.dry_run {
            return Ok(format!("pin {name}\n"));
        }
        notes::write_pin(&dir, name, &pin)?;
        Ok(format!("{name} stays, whatever refers to it\n"))
    })
}

pub(super) fn unpin(context: &Context, args: &ImageUnpin) -> Result<String> {
    let dir = StoreDir::below(&context.root);
    let store = whole(&dir)?;
    let mut names = Vec::new();
    for typed in &args.images {
        // The pin of an image that is gone can be taken away, too.
        let gone = ImageName::parse(typed).ok().filter(|_| store.pins.contains_key(typed));
        names.push(match gone {
            Some(name) => name,
            None => find(context, &store, typed)?,
        });
    }
    each(&names, |name| {
        if !store.pins.contains_key(name.as_str()) {
            return Ok(format!("{name} is not pinned\n"));
        }
        if args.dry.dry_run {
            return Ok(format!("unpin {name}\n"));
        }
        notes::remove_pin(&dir, name)?;
        Ok(format!("{name} goes when nothing refers to it\n"))
    })
}

pub(super) fn rm(context: &Context, args: &ImageRm) -> Result<String> {
    let dir = StoreDir::below(&context.root);
    let busy = || fault(Exit::TempFail, "others are reading or making images: not now");
    let lock = match args.dry.dry_run {
        true => None,
        false => Some(StoreLock::take(&dir, Hold::Exclusive, PATIENCE, || ())?.ok_or_else(busy)?),
    };
    let store = whole(&dir)?;
    let names: BTreeSet<String> = named(context, &store, &args.images)?.iter().map(ToString::to_string).collect();
    let verdicts = unused(context, &dir, &store, &names)?;
    if args.dry.dry_run {
        return Ok(verdicts.iter().map(|verdict| format!("remove {}\n", verdict.item)).collect());
    }
    let removed = remove::take_out(&dir, &verdicts)?;
    drop(lock);
    let (freed, failed) = remove::empty_trash(&dir)?;
    let mut wrong: Vec<String> = removed.busy.iter().map(|item| format!("{item} is just being made")).collect();
    wrong.extend(removed.failed.into_iter().chain(failed));
    match wrong.is_empty() {
        true => Ok(format!("{} removed, {} free again\n", list(&names), time::bytes(freed))),
        false => Err(fault(Exit::Failure, wrong.join("; "))),
    }
}

/// What uses an image of the store, as a prune would have it; a sentence in the place of what cannot be said for sure.
pub(super) fn used_by(context: &Context, name: &str) -> Result<Result<Vec<String>, String>> {
    let dir = StoreDir::below(&context.root);
    let store = match whole(&dir) {
        Ok(store) => store,
        Err(error) => return Ok(Err(format!("what uses images cannot be said for sure: {error:#}"))),
    };
    let in_use = match in_use(context, &dir, &store)? {
        Ok(in_use) => in_use,
        Err(said) => return Ok(Err(said)),
    };
    let at = store.images.iter().position(|image| image.name == name);
    Ok(Ok(at.map(|at| in_use.images[at].iter().cloned().collect()).unwrap_or_default()))
}

fn in_use(context: &Context, dir: &StoreDir, store: &Store) -> Result<Result<InUse, String>> {
    let units = roots::units(context.systemd).context("asking systemd for its units")?;
    let Roots { claims, problems, settings } = roots::collect(dir, &units);
    Ok(match problems.is_empty() {
        true => Ok(InUse::of(store, &claims, settings.keep as usize)),
        false => Err(format!("what uses images cannot be said for sure: {}", problems.join("; "))),
    })
}

/// The verdicts on these images, and on what is known of them; an error that says what uses one.
fn unused(context: &Context, dir: &StoreDir, store: &Store, names: &BTreeSet<String>) -> Result<Vec<Verdict>> {
    let in_use = in_use(context, dir, store)?.map_err(|said| fault(Exit::TempFail, said))?;
    let mut used = Vec::new();
    for (at, image) in store.images.iter().enumerate().filter(|(_, image)| names.contains(&image.name)) {
        if in_use.keeps(at) {
            let by: Vec<&str> = in_use.images[at].iter().map(String::as_str).collect();
            used.push(format!("{} is in use: {}", image.name, by.join("; ")));
        }
    }
    if !used.is_empty() {
        return Err(fault(Exit::Failure, used.join("\n")));
    }
    let mut verdicts = decide(store, &in_use, Reach::Everything, Now { time: clock::now(), free: 0 });
    verdicts.retain(|verdict| match &verdict.item {
        Item::Image(name) => names.contains(name),
        Item::Record(reference) => {
            let image = store.record(reference).and_then(|record| record.image.as_ref());
            verdict.goes() && image.is_some_and(|image| names.contains(image.as_str()))
        }
        _ => false,
    });
    Ok(verdicts)
}

/// The store, if all of it can be read.
pub(super) fn whole(dir: &StoreDir) -> Result<Store> {
    check_access(dir)?;
    let Reading { store, problems } = read(dir);
    match problems.first() {
        None => Ok(store),
        Some(_) => Err(fault(Exit::TempFail, problems.join("; "))),
    }
}

fn named(context: &Context, store: &Store, typed: &[String]) -> Result<Vec<ImageName>> {
    typed.iter().map(|typed| find(context, store, typed)).collect()
}

fn each(names: &[ImageName], act: impl Fn(&ImageName) -> Result<String>) -> Result<String> {
    names.iter().map(act).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
