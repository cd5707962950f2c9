//! From an index to the one manifest that is meant: by name, then by platform.
//! It guesses nothing: where several are left, the error lists them.
//! Sources: the OCI image index and annotations specifications; BuildKit's attestations are left out.

use super::document::{Descriptor, Document, Platform, parse};
use super::store::{Store, blob_name, read_document};
use crate::layer::digest::Expected;
use crate::layer::fault::bad;
use std::io;

/// Indexes within each other; real ones have two.
const NESTED: usize = 8;
/// The name of an entry.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// containerd's name of an entry, with its registry.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The image's name.
    pub name: Option<&'a str>,
    /// The machine it is for.
    pub platform: Platform,
}

/// A manifest, and the descriptor that led to it.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Where it is.
    pub descriptor: Descriptor,
    /// What it says.
    pub manifest: Document,
}

/// Finds the manifest in the entries of a layout's `index.json`.
pub fn choose(store: &dyn Store, entries: &[Descriptor], wanted: &Wanted<'_>) -> io::Result<Chosen> {
    let images: Vec<&Descriptor> = entries.iter().filter(|entry| is_image(entry)).collect();
    let named: Vec<&Descriptor> = match wanted.name {
        None => images.clone(),
        Some(name) => images.iter().copied().filter(|entry| is_named(entry, name)).collect(),
    };
    if let (Some(name), []) = (wanted.name, named.as_slice()) {
        return Err(bad(format!("there is no image {name:?} in it: it has {}", names(&images))));
    }
    descend(store, &one_of(&named, wanted)?, wanted, 0)
}

/// Follows a descriptor to a manifest.
pub fn descend(store: &dyn Store, entry: &Descriptor, wanted: &Wanted<'_>, depth: usize) -> io::Result<Chosen> {
    if depth > NESTED {
        return Err(bad(format!("there are more than {NESTED} indexes within each other")));
    }
    let name = blob_name(&entry.digest);
    let expected = Expected { digest: Some(entry.digest.clone()), size: Some(entry.size) };
    let document: Document = parse(&name, &read_document(store, &name, expected)?)?;
    match &document.manifests {
        None => Ok(Chosen { descriptor: entry.clone(), manifest: document }),
        Some(_) if document.layers.is_some() => Err(bad(format!("{name}: it is an index and a manifest in one"))),
        Some(entries) => {
            let images: Vec<&Descriptor> = entries.iter().filter(|entry| is_image(entry)).collect();
            descend(store, &one_of(&images, wanted)?, wanted, depth + 1)
        }
    }
}

/// The one entry for a platform.
fn one_of(entries: &[&Descriptor], wanted: &Wanted<'_>) -> io::Result<Descriptor> {
    let serves =
        |entry: &&&Descriptor| entry.platform.as_ref().is_none_or(|platform| platform.serves(&wanted.platform));
    let mut serving: Vec<&Descriptor> = entries.iter().filter(serves).copied().collect();
    serving.dedup_by(|a, b| a.digest == b.digest);
    // Where several variants serve, the first that says nothing more than what was asked is meant.
    let exact = serving.iter().find(|entry| entry.platform.as_ref() == Some(&wanted.platform));
    match (serving.as_slice(), exact) {
        ([], _) if entries.is_empty() => Err(bad("there is no image in it")),
        ([], _) => Err(bad(format!("there is no image for {} in it: it has {}", wanted.platform, platforms(entries)))),
        ([only], _) => Ok((*only).clone()),
        (several, Some(exact)) if several.iter().all(|entry| entry.platform.is_some()) => Ok((*exact).clone()),
        (several, _) => Err(bad(format!("there are several images in it, and none is named: {}", names(several)))),
    }
}

/// BuildKit puts signatures and bills of material beside the images they are about.
fn is_image(entry: &Descriptor) -> bool {
    let attests = entry.annotations.get("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest");
    !attests && entry.platform.as_ref().is_none_or(|platform| platform.os != "unknown")
}

fn is_named(entry: &Descriptor, name: &str) -> bool {
    let said = |key| entry.annotations.get(key).is_some_and(|said| said == name);
    said(REF_NAME) || said(IMAGE_NAME) || entry.digest.as_str() == name
}

fn names(entries: &[&Descriptor]) -> String {
    let name = |entry: &&Descriptor| {
        let named = entry.annotations.get(IMAGE_NAME).or_else(|| entry.annotations.get(REF_NAME));
        let name = named.map_or_else(|| entry.digest.to_string(), |name| name.escape_default().to_string());
        entry.platform.as_ref().map_or(name.clone(), |platform| format!("{name} ({platform})"))
    };
    joined(entries.iter().map(name))
}

fn platforms(entries: &[&Descriptor]) -> String {
    joined(entries.iter().filter_map(|entry| entry.platform.as_ref()).map(Platform::to_string))
}

/// Most that a message lists.
const LISTED: usize = 20;

fn joined(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    if words.is_empty() {
        return "none".into();
    }
    if words.len() > LISTED {
        let more = words.len() - LISTED;
        words.truncate(LISTED);
        words.push(format!("{more} more"));
    }
    words.join(", ")
}
