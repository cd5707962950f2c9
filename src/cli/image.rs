//! `veneer image`: images made, looked at, checked and signed.
//! What is printed is laid out by `image_text`; the work is `veneer-convert`'s, `veneer-inject`'s, `veneer-signature`'s and `host::image_look`'s.
//! Which image is meant is `image_find`'s to say.

use super::args::{ImageDisk, ImageInspect, ImageSign, ImageVerb, ImageVerify};
use super::context::Context;
use super::fault::fault;
use super::image_find::{look, stored};
use super::image_text::{FileRow, Resolved, Shown, render};
use super::{image_keep, image_list, image_ship};
use super::{import, json, pulled};
use crate::host::disk::Parts;
use crate::host::image_files::ImageData;
use crate::host::image_look::{become_helper, sign};
use crate::host::store::{StoreDir, read};
use crate::host::terminal::print;
use crate::host::{new_file, signature};
use crate::image::partition::Machine;
use crate::oci::document::Platform;
use crate::store::Record;
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;
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
    let look = look(context, &args.image)?;
    let beside = [Some(&look.image), look.tree.as_ref(), look.signature.as_ref()];
    let files = beside.into_iter().flatten().map(row).collect::<Result<_>>()?;
    let root = look.root.as_ref().map(|root| root.as_str());
    let name = stored(context, Path::new(look.image.path()));
    let used_by = match &name {
        Some(name) => Some(image_keep::used_by(context, name)?.unwrap_or_else(|said| vec![said])),
        None => None,
    };
    let references = name.map(|name| resolved(context, &name)).unwrap_or_default();
    let (image, manifest) = (look.image.path(), look.manifest.as_ref());
    let shown = Shown { image, root_hash: root, manifest, used_by, references, files };
    match args.output.json() {
        Some(format) => json::print(&shown, format),
        None => Ok(render(&shown, context.terminal)),
    }
}

/// What was resolved to an image of the store.
fn resolved(context: &Context, name: &str) -> Vec<Resolved> {
    // What of the store cannot be read, `used by` says.
    let records = read(&StoreDir::below(&context.root)).store.records.into_iter();
    let of_image = records.filter(|record| record.image.as_ref().is_some_and(|image| image.as_str() == name));
    of_image
        .map(|Record { reference, manifest, when, labels, .. }| Resolved {
            reference,
            manifest: manifest.to_string(),
            when,
            labels,
        })
        .collect()
}

fn row(file: &ImageData) -> Result<FileRow> {
    Ok(FileRow { path: file.path().to_owned(), size: file.size(), allocated: file.allocated()? })
}

fn verify(context: &Context, args: &ImageVerify) -> Result<String> {
    let look = look(context, &args.image)?;
    let path = look.image.path().to_owned();
    let (root, sb) = look.verify()?;
    Ok(format!("{path}: all {} blocks are as root hash {root} says\n", sb.data_blocks))
}

fn signed(context: &Context, args: &ImageSign) -> Result<String> {
    let look = look(context, &args.image)?;
    let to = look.signature_path.clone();
    signature::check_signer(&args.key, &args.certificate)?;
    if args.dry.dry_run {
        return Ok(format!("check {}\nsign its root hash: {}\n", look.image.path(), to.display()));
    }
    // What is signed is vouched for: not without having been read.
    let (root, _) = look.verify()?;
    sign(&root, &args.key, &args.certificate, &to)?;
    Ok(format!("{}: root hash {root}\n", to.display()))
}

fn disk(context: &Context, args: &ImageDisk) -> Result<String> {
    new_file::check(&args.to)?;
    let look = look(context, &args.image)?;
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
