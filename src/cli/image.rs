//! `veneer image`: images made, looked at, checked and signed.
//! What is printed is laid out by `image_text`; the work is `veneer-convert`'s, `veneer-inject`'s, `veneer-signature`'s and `host::image_look`'s.
//! An image is named by its file, or as in an app's `image.file`: then the stores of veneer.toml are searched.

use super::args::{ImageDisk, ImageInspect, ImageSign, ImageVerb, ImageVerify};
use super::context::Context;
use super::fault::fault;
use super::image_text::{FileRow, Shown, render};
use super::{image_keep, image_list, image_ship};
use super::{import, json, pulled};
use crate::app::ImagePlace;
use crate::config::Host;
use crate::host::below_root;
use crate::host::disk::Parts;
use crate::host::image_files::ImageData;
use crate::host::image_look::{Look, become_helper, sign};
use crate::host::store::StoreDir;
use crate::host::store::notes::record;
use crate::host::terminal::print;
use crate::image::partition::Machine;
use crate::layout::IMAGES;
use crate::oci::document::Platform;
use crate::origin::Origin;
use crate::sysexits::Exit;
use crate::verity::Fault;
use crate::verity::names::candidates;
use anyhow::Result;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn run(context: &Context, verb: &ImageVerb) -> Result<ExitCode> {
    let done = match verb {
        ImageVerb::Convert(args) => helper(context, "convert", &args.words),
        ImageVerb::Inject(args) => helper(context, "inject", &args.words),
        ImageVerb::List(args) => image_list::run(context, args),
        ImageVerb::Pin(args) => image_keep::pin(context, args),
        ImageVerb::Unpin(args) => image_keep::unpin(context, args),
        ImageVerb::Rm(args) => image_keep::rm(context, args),
        ImageVerb::Export(args) => image_ship::export(context, args),
        ImageVerb::Push(args) => image_ship::push(context, args),
        ImageVerb::Prune(args) => prune(context, &args.words),
        ImageVerb::Pull(args) => pulled::pull(context, args),
        ImageVerb::Import(args) => import::run(context, args),
        ImageVerb::Update(args) => pulled::update(context, args),
        ImageVerb::Rollback(args) => pulled::rollback(context, args),
        ImageVerb::Exists(args) => return exists(context, args),
        ImageVerb::Inspect(args) => inspect(context, args),
        ImageVerb::Verify(args) => verify(context, args),
        ImageVerb::Sign(args) => signed(context, args),
        ImageVerb::Disk(args) => disk(context, args),
    };
    let text = done.map_err(|error| match Fault::of(&error) {
        Some(found) => fault(found.exit, found.sentence.clone()),
        None => error,
    })?;
    print(&text).map(|()| ExitCode::SUCCESS)
}

/// As `podman image exists` has it: 0 and 1, and not a word.
fn exists(context: &Context, args: &super::args::ImageExists) -> Result<ExitCode> {
    Ok(if pulled::exists(context, args)? { ExitCode::SUCCESS } else { Exit::Failure.into() })
}

fn helper(context: &Context, verb: &str, words: &[OsString]) -> Result<String> {
    match context.root == Path::new("/") {
        true => Err(become_helper(&format!("veneer-{verb}"), words)),
        false => Err(fault(Exit::Usage, format!("image {verb} works on this system: it takes no --root"))),
    }
}

/// A prune takes a root of its own.
fn prune(context: &Context, words: &[OsString]) -> Result<String> {
    let mut all = vec![OsString::from("--root"), context.root.clone().into_os_string()];
    all.extend_from_slice(words);
    Err(become_helper("veneer-prune", &all))
}

fn inspect(context: &Context, args: &ImageInspect) -> Result<String> {
    let look = find(context, &args.image)?;
    let beside = [Some(&look.image), look.tree.as_ref(), look.signature.as_ref()];
    let files = beside.into_iter().flatten().map(row).collect::<Result<_>>()?;
    let root = look.root.as_ref().map(|root| root.as_str());
    let used_by = match stored(context, look.image.path()) {
        Some(name) => Some(image_keep::used_by(context, &name)?.unwrap_or_else(|said| vec![said])),
        None => None,
    };
    let shown = Shown { image: look.image.path(), root_hash: root, manifest: look.manifest.as_ref(), used_by, files };
    match args.output.json() {
        Some(format) => json::print(&shown, format),
        None => Ok(render(&shown, context.terminal)),
    }
}

/// The name of an image that is in the store.
fn stored(context: &Context, path: &str) -> Option<String> {
    let file = Path::new(path).strip_prefix(context.at(IMAGES)).ok()?.to_str()?;
    let name = file.strip_suffix(".raw").or_else(|| file.strip_suffix(".app.img"))?;
    Some(name.to_owned())
}

fn row(file: &ImageData) -> Result<FileRow> {
    Ok(FileRow { path: file.path().to_owned(), size: file.size(), allocated: file.allocated()? })
}

fn verify(context: &Context, args: &ImageVerify) -> Result<String> {
    let look = find(context, &args.image)?;
    let path = look.image.path().to_owned();
    let (root, sb) = look.verify()?;
    Ok(format!("{path}: all {} blocks are as root hash {root} says\n", sb.data_blocks))
}

fn signed(context: &Context, args: &ImageSign) -> Result<String> {
    let look = find(context, &args.image)?;
    let to = look.signature_path.clone();
    if args.dry.dry_run {
        return Ok(format!("check {}\nsign its root hash: {}\n", look.image.path(), to.display()));
    }
    // What is signed is vouched for: not without having been read.
    let (root, _) = look.verify()?;
    sign(&root, &args.key, &args.certificate, &to)?;
    Ok(format!("{}: root hash {root}\n", to.display()))
}

fn disk(context: &Context, args: &ImageDisk) -> Result<String> {
    let look = find(context, &args.image)?;
    let image = look.image.path().to_owned();
    let own = Machine::of(&Platform::of_this_machine().architecture);
    let machine = args.machine.map_or(own, Ok).map_err(|said| fault(Exit::Usage, said))?;
    let parts = Parts::of(look, args.certificate.as_deref())?;
    if args.dry.dry_run {
        let size = parts.lay_out(machine).size;
        return Ok(format!("write {}: {size} bytes, of {image} with what stands beside it\n", args.to.display()));
    }
    let size = parts.write(machine, &args.to)?;
    Ok(format!("{}: {size} bytes\n", args.to.display()))
}

/// Opens an image by its path, its name, or a reference it was made for.
fn find(context: &Context, image: &str) -> Result<Look> {
    let paths = match referred(context, image)? {
        Some(path) => vec![path],
        None => places(context, image),
    };
    for path in &paths {
        if let Some(look) = Look::at(path)? {
            return Ok(look);
        }
    }
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Err(fault(Exit::NoInput, format!("there is no image {}", paths.join(", nor "))))
}

fn referred(context: &Context, typed: &str) -> Result<Option<PathBuf>> {
    let Ok(origin) = Origin::parse(typed) else { return Ok(None) };
    let known = record(&StoreDir::below(&context.root), &origin.to_string())?.and_then(|record| record.image);
    match known {
        Some(name) => Ok(Some(context.at(&format!("{IMAGES}/{name}.raw")))),
        None => Err(fault(Exit::NoInput, format!("the store has no image of {origin}: see veneer image pull"))),
    }
}

fn places(context: &Context, image: &str) -> Vec<PathBuf> {
    if image.contains('/') || image.ends_with(".raw") || image.ends_with(".img") {
        let path = below_root::absolute(Path::new(image));
        return vec![context.at(&path.to_string_lossy())];
    }
    let config = context.config();
    let (host, _) = Host::load(&config);
    let place = ImagePlace::Named { name: image.into(), roots: host.settings.roots };
    candidates(&place).iter().map(|path| context.at(path.as_str())).collect()
}
