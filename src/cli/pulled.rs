//! `veneer image pull`, `exists`, `update` and `rollback`: container images brought into the store, and apps to newer ones.
//! The work is `veneer-pull`'s and `veneer-version`'s, told what the units of an app are told.
//! The verbs are podman's where podman has one (podman-image-exists(1)).

use super::args::{ImageExists, ImagePull, ImageRollback, ImageUpdate};
use super::context::{Context, find};
use super::fault::fault;
use crate::app::{App, Image, ImageFile, ImagePlace, Making, Pull};
use crate::config::{Host, load_app};
use crate::host::image_look::{become_helper, run_helper};
use crate::host::store::notes::record;
use crate::host::store::{StoreDir, check_access};
use crate::origin::Origin;
use crate::plan::{make_words, pull_words};
use crate::sysexits::Exit;
use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;

/// Fetches what has to be fetched, and makes an image of it in the store.
pub(super) fn pull(context: &Context, args: &ImagePull) -> Result<String> {
    only_here(context, "pull")?;
    let config = context.config();
    let (host, _) = Host::load(&config);
    fetch(&args.reference, &host.settings.pull, args.always, args.dry.dry_run)?;
    let mut words = vec!["make".to_owned(), args.reference.to_string()];
    words.extend(args.dry.dry_run.then(|| "--dry-run".to_owned()));
    Err(become_helper("veneer-version", &os(&words)))
}

/// Runs `veneer-pull` to its end, for what needs it.
pub(super) fn fetch(origin: &Origin, files: &Pull, always: bool, dry_run: bool) -> Result<()> {
    if !origin.is_pulled() {
        return Ok(());
    }
    let mut words = pull_words(origin, files);
    words.extend(always.then(|| "--always".to_owned()));
    words.extend(dry_run.then(|| "--dry-run".to_owned()));
    helper(&words)
}

/// Runs a helper, the first word, to its end; what it said is enough.
fn helper(words: &[String]) -> Result<()> {
    let Some((name, rest)) = words.split_first() else { return Ok(()) };
    run_helper(name, &os(rest))
}

/// Whether a reference has been resolved, and what it led to is there.
pub(super) fn exists(context: &Context, args: &ImageExists) -> Result<bool> {
    let store = StoreDir::below(&context.root);
    check_access(&store)?;
    let found = record(&store, &args.reference.to_string())?;
    let image = found.and_then(|record| record.image);
    Ok(image.is_some_and(|image| context.at(&format!("{}/{image}.raw", crate::layout::IMAGES)).is_file()))
}

/// Looks for newer images of apps; they are used with the next start.
pub(super) fn update(context: &Context, args: &ImageUpdate) -> Result<String> {
    only_here(context, "update")?;
    let config = context.config();
    let (host, _) = Host::load(&config);
    let dry_run = args.dry.dry_run;
    for id in &args.ids {
        let loaded = load_app(find(&config, id)?, &host);
        let loaded =
            loaded.map_err(|_| fault(Exit::Config, format!("the file of {id} is wrong: see `veneer check`")))?;
        let making = making(&loaded.app).ok_or_else(|| {
            fault(
                Exit::Usage,
                format!("{id} has neither `oci` nor `build` in [image]: put a new file in place instead"),
            )
        })?;
        fetch(&making.origin, &making.pull, true, dry_run)?;
        let mut words = make_words(&loaded.app.id, making);
        words.extend(["--update".to_owned()].into_iter().chain(dry_run.then(|| "--dry-run".to_owned())));
        helper(&words)?;
    }
    Ok(String::new())
}

fn making(app: &App) -> Option<&Making> {
    match &app.image {
        Image::File(ImageFile { place: ImagePlace::Made(making), .. }) => Some(making),
        _ => None,
    }
}

/// Has an app use the version before again.
pub(super) fn rollback(context: &Context, args: &ImageRollback) -> Result<String> {
    only_here(context, "rollback")?;
    let config = context.config();
    let app = find(&config, &args.id)?;
    let mut words = vec!["rollback".to_owned(), app.id.to_string()];
    words.extend(args.dry.dry_run.then(|| "--dry-run".to_owned()));
    Err(become_helper("veneer-version", &os(&words)))
}

pub(super) fn only_here(context: &Context, verb: &str) -> Result<()> {
    match context.root == Path::new("/") {
        true => Ok(()),
        false => Err(fault(Exit::Usage, format!("image {verb} works on this system: it takes no --root"))),
    }
}

fn os(words: &[String]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
