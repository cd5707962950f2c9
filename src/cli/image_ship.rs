//! `veneer image push` and `veneer image export`: images and what they were made from, for other machines.
//! The work is `host::push`'s.
//! Which image is meant is `image_find`'s to say.

use super::args::{ImageExport, ImagePush};
use super::context::Context;
use super::image_find::find;
use super::image_keep::whole;
use crate::host::below_root::absolute;
use crate::host::push::{self, Destination, Registry, words};
use crate::host::store::StoreDir;
use crate::image::publish::Part;
use crate::store::Record;
use anyhow::Result;
use std::path::Path;

pub(super) fn push(context: &Context, args: &ImagePush) -> Result<String> {
    let dir = StoreDir::below(&context.root);
    let name = find(context, &whole(&dir)?, &args.image)?;
    let registry = if args.insecure { Registry::Believed } else { Registry::Certified };
    let to = Destination { reference: args.reference.clone(), auth_file: args.auth_file.clone(), registry };
    if args.dry.dry_run {
        let copy = words(Path::new("DIR"), &to).join(" ");
        return Ok(format!("read {} against its root hash\nrun skopeo {copy}\n", name.of(Part::Raw)));
    }
    let digest = push::push(&dir, &name, &to)?;
    Ok(format!("{name} is at {}, as {digest}\n", args.reference))
}

pub(super) fn export(context: &Context, args: &ImageExport) -> Result<String> {
    let dir = StoreDir::below(&context.root);
    let store = whole(&dir)?;
    let name = find(context, &store, &args.image)?;
    // Of several references to one image the one that was named.
    let of_image = |record: &&Record| record.image.as_ref() == Some(&name) && push::was_pulled(record);
    let named = store.record(&args.image).filter(of_image);
    let record = match named {
        Some(record) => record,
        None => push::record_of(&store, &name)?,
    };
    if args.dry.dry_run {
        let blobs = record.blobs.len();
        return Ok(format!("write {blobs} blobs of {} to {}\n", record.reference, args.directory.display()));
    }
    push::export(&dir, record, &absolute(&args.directory))?;
    Ok(format!("{}: {}\n", args.directory.display(), record.reference))
}
