//! An image of the store put into a registry by skopeo, and the container image it was made from written as a layout.
//! What a pushed image looks like is `store::artifact`'s; who may push is the registry's.
//! Only credentials that were given are used: never a user's by accident (skopeo-copy(1)).

use super::image_look::Look;
use super::layout_dir::{LayoutWriter, digest_of};
use super::notify::Bytes;
use super::store::{StoreDir, StoreLock};
use crate::image::publish::{ImageName, Part};
use crate::layer::digest::Digest;
use crate::layout::{BLOBS, IMAGES};
use crate::oci::document::{DOCUMENT_MAX, Document, parse};
use crate::origin::Origin;
use crate::store::artifact::{EMPTY_CONFIG, MANIFEST_TYPE, Piece, manifest};
use crate::store::{Record, Store};
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name of the image in the layout that skopeo reads.
const NAME: &str = "pushed";

/// Where an image goes.
#[derive(Debug)]
pub struct Destination {
    /// `docker://HOST/NAME:TAG`, or another of skopeo's.
    pub reference: String,
    /// Credentials.
    pub auth_file: Option<PathBuf>,
    /// How the registry is believed to be who it is.
    pub registry: Registry,
}

/// How a registry is believed to be who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// By its certificate.
    Certified,
    /// It is believed.
    Believed,
}

/// skopeo's words.
pub fn words(layout: &Path, to: &Destination) -> Vec<String> {
    // The source is ours; a policy says what may be pulled.
    let mut words = vec!["--insecure-policy".to_owned(), "copy".into(), "--quiet".into(), "--preserve-digests".into()];
    if to.reference.starts_with("docker://") {
        words.push(match &to.auth_file {
            Some(file) => format!("--dest-authfile={}", file.display()),
            None => "--dest-no-creds".into(),
        });
        if to.registry == Registry::Believed {
            words.push("--dest-tls-verify=false".into());
        }
    }
    words.extend([format!("oci:{}:{NAME}", layout.display()), to.reference.clone()]);
    words
}

/// Reads an image as a whole, and pushes it; the digest it has there.
pub fn push(store: &StoreDir, name: &ImageName, to: &Destination) -> Result<Digest> {
    let _held = StoreLock::share(store)?;
    let raw = store.at(IMAGES).join(name.of(Part::Raw));
    let look = Look::at(&raw)?.ok_or_else(|| Fault::no_input(format!("there is no {}", raw.display())))?;
    let (root, _) = look.verify()?;
    let directory = std::env::temp_dir().join(format!("veneer-push-{}", std::process::id()));
    let layout = LayoutWriter::make(&directory, 0o700)?;
    let mut pieces = Vec::new();
    for part in Part::ALL {
        let path = raw.with_file_name(name.of(part));
        if path.exists() {
            let (digest, size) = digest_of(&path)?;
            layout.link(&digest, &path)?;
            pieces.push(Piece { part, digest, size });
        }
    }
    layout.blob_of(EMPTY_CONFIG)?;
    let text = serde_json::to_vec(&manifest(&pieces, name.as_str(), root.as_str()))?;
    let digest = layout.blob_of(&text)?;
    layout.finish(MANIFEST_TYPE, &digest, text.len(), NAME)?;
    let _told = Bytes::begin(format!("pushing {name} to {}", to.reference));
    skopeo(&words(layout.path(), to))?;
    Ok(digest)
}

fn skopeo(words: &[String]) -> Result<()> {
    let ran =
        Command::new("skopeo").args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let ran = match ran {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(
                Fault::unavailable("skopeo is missing: install the package skopeo, version 1.9 or later").into()
            );
        }
        ran => ran.context("running skopeo")?,
    };
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(Fault::failure(format!("skopeo could not push: {}", said.trim())).into())
}

/// The record whose container image an image was made from.
pub fn record_of<'a>(store: &'a Store, name: &ImageName) -> Result<&'a Record> {
    let record = store.records.iter().find(|record| record.image.as_ref() == Some(name) && was_pulled(record));
    record.ok_or_else(|| Fault::no_input(format!("{name} was not made from a container image that was pulled")).into())
}

/// Whether the store was given the blobs of a record: of an archive it only knows their digests.
pub fn was_pulled(record: &Record) -> bool {
    !record.blobs.is_empty() && Origin::parse(&record.reference).is_ok_and(|origin| origin.is_pulled())
}

/// Writes the container image of a record as a layout, whole or not at all.
pub fn export(store: &StoreDir, record: &Record, to: &Path) -> Result<()> {
    let _held = StoreLock::share(store)?;
    if super::below_root::exists(to) {
        return Err(Fault::data(format!("{} is there already", to.display())).into());
    }
    let blobs = store.at(BLOBS);
    let all: Vec<&Digest> =
        record.blobs.iter().filter(|blob| **blob != record.manifest).chain([&record.manifest]).collect();
    if let Some(gone) = all.iter().find(|blob| !blobs.join(blob.hex()).exists()) {
        let text = format!("blob {gone} of {} is no longer in the store: pull it again", record.reference);
        return Err(Fault::no_input(text).into());
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let layout = LayoutWriter::make(&to.with_file_name(format!(".{name}.{}", std::process::id())), 0o755)?;
    for blob in all {
        layout.copy(blob, &blobs.join(blob.hex()))?;
        let (found, _) = digest_of(&layout.path().join("blobs/sha256").join(blob.hex()))?;
        if found != *blob {
            return Err(Fault::data(format!("blob {blob} is damaged: its digest is {found}")).into());
        }
    }
    let bytes = std::fs::read(blobs.join(record.manifest.hex())).context("reading the manifest")?;
    let document: Document = parse("the manifest", &bytes)?;
    let kind = if document.media_type.is_empty() { MANIFEST_TYPE } else { &document.media_type };
    anyhow::ensure!(bytes.len() as u64 <= DOCUMENT_MAX, "the manifest is too long");
    let tag = record.reference.split_once("://").map_or(record.reference.as_str(), |(_, rest)| rest);
    layout.finish(kind, &record.manifest, bytes.len(), tag)?;
    layout.keep_as(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_references_the_one_that_was_pulled_is_exported() {
        let name = ImageName::parse("sha256-12").expect("a name");
        let record = |reference: &str| Record {
            reference: reference.into(),
            manifest: Digest::of(reference.as_bytes()),
            image: Some(name.clone()),
            when: 1,
            labels: std::collections::BTreeMap::new(),
            blobs: vec![Digest::of(b"config")],
        };
        // An archive's record names the same configuration, which is among the blobs since another brought it there.
        let records = ["docker-archive:/a.tar", "docker://r.example/a:1"].map(record).to_vec();
        let mut store = Store { records, ..Store::default() };
        assert_eq!(record_of(&store, &name).expect("one").reference, "docker://r.example/a:1");
        store.records.pop();
        let error = record_of(&store, &name).expect_err("an archive only");
        assert!(error.to_string().contains("was not made from a container image that was pulled"), "{error}");
    }

    #[test]
    fn nobodys_credentials_are_used_but_those_that_are_given() {
        let mut to = Destination { reference: "docker://r/a:1".into(), auth_file: None, registry: Registry::Certified };
        let said = |to: &Destination| words(Path::new("/l"), to).join(" ");
        let base = "--insecure-policy copy --quiet --preserve-digests";
        assert_eq!(said(&to), format!("{base} --dest-no-creds oci:/l:pushed docker://r/a:1"));
        to = Destination { auth_file: Some("/a.json".into()), registry: Registry::Believed, ..to };
        let options = "--dest-authfile=/a.json --dest-tls-verify=false";
        assert_eq!(said(&to), format!("{base} {options} oci:/l:pushed docker://r/a:1"));
        to.reference = "oci:/x:1".into();
        assert_eq!(said(&to), format!("{base} oci:/l:pushed oci:/x:1"));
    }
}
