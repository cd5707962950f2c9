//! An image as a list of layers, whichever form it is kept in.
//! It reads documents, and no layer.
//! Sources: the OCI image manifest and configuration specifications, Docker's manifest v2 schema 2, `docker save`.

use super::choose::{Chosen, Wanted, choose, descend};
use super::created;
use super::document::{Config, Descriptor, DockerImage, Document, parse};
use super::store::{Store, blob_name, find_document, read_document};
use crate::image::tree::Time;
use crate::layer::digest::{Digest, Expected};
use crate::layer::fault::bad;
use std::io;

/// An image whose documents are read and agree with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The digest of its manifest; `docker save` has none.
    pub manifest: Option<Digest>,
    /// The digest of its configuration: the one thing that all forms of an image have in common. It names the layers
    /// by what they are decompressed, so two images with one configuration are the same.
    pub config: Digest,
    /// The name of its configuration in the store.
    pub config_file: String,
    /// When it was made, as its configuration says.
    pub epoch: Time,
    /// Its layers, the lowest first.
    pub layers: Vec<LayerBlob>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerBlob {
    /// Its name in the store.
    pub file: String,
    /// What it must be as it is stored.
    pub stored: Expected,
    /// What it must be decompressed.
    pub diff_id: Digest,
}

/// Which of two documents an archive is read by, where it has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// `index.json`, then `manifest.json`.
    Index,
    /// `manifest.json`, then `index.json`.
    Docker,
}

/// Finds an image in a layout or an archive.
pub fn find(store: &dyn Store, first: First, wanted: &Wanted<'_>) -> io::Result<Image> {
    let index: Option<Document> =
        find_document(store, "index.json")?.map(|bytes| parse("index.json", &bytes)).transpose()?;
    // docker 25 and later write an oci-layout with an empty index beside their own manifest.
    let entries = index.and_then(|index| index.manifests).filter(|entries| !entries.is_empty());
    let docker: Option<Vec<DockerImage>> =
        find_document(store, "manifest.json")?.map(|bytes| parse("manifest.json", &bytes)).transpose()?;
    match (first, entries, docker) {
        (First::Docker, _, Some(docker)) | (First::Index, None, Some(docker)) => from_docker(store, &docker, wanted),
        (_, Some(entries), _) => from_manifest(store, choose(store, &entries, wanted)?, wanted),
        (_, None, None) => Err(bad("it has neither an index.json with an image nor a manifest.json")),
    }
}

/// Finds an image by the digest of its manifest or index.
pub fn by_digest(store: &dyn Store, digest: &Digest, wanted: &Wanted<'_>) -> io::Result<Image> {
    let size = super::store::open_blob(store, &blob_name(digest))?.size;
    let entry = Descriptor {
        media_type: String::new(),
        digest: digest.clone(),
        size,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
        artifact_type: None,
    };
    from_manifest(store, descend(store, &entry, wanted, 0)?, wanted)
}

fn from_manifest(store: &dyn Store, chosen: Chosen, wanted: &Wanted<'_>) -> io::Result<Image> {
    let Chosen { descriptor, manifest } = chosen;
    if manifest.schema_version != Some(2) {
        return Err(bad(
            "its manifest is of another schema than 2: docker's old one has to be converted by a registry",
        ));
    }
    let config = manifest.config.as_ref().ok_or_else(|| bad("its manifest has no configuration"))?;
    check_kind(&manifest, config)?;
    let name = blob_name(&config.digest);
    let expected = Expected { digest: Some(config.digest.clone()), size: Some(config.size) };
    let (diff_ids, epoch) = configuration(&name, &read_document(store, &name, expected)?, wanted)?;
    let layers = manifest.layers.unwrap_or_default();
    check_count(layers.len(), diff_ids.len())?;
    let layer = |(layer, diff_id): (Descriptor, Digest)| {
        check_layer(&layer)?;
        let stored = Expected { digest: Some(layer.digest.clone()), size: Some(layer.size) };
        Ok(LayerBlob { file: blob_name(&layer.digest), stored, diff_id })
    };
    let layers = layers.into_iter().zip(diff_ids).map(layer).collect::<io::Result<_>>()?;
    Ok(Image { manifest: Some(descriptor.digest), config: config.digest.clone(), config_file: name, epoch, layers })
}

/// Artifacts (charts, signatures, models) have manifests like images, and no root file system.
fn check_kind(manifest: &Document, config: &Descriptor) -> io::Result<()> {
    let kind = match (&manifest.artifact_type, config.media_type.as_str()) {
        (Some(kind), _) if !kind.is_empty() => kind,
        (_, "" | "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json") => {
            return Ok(());
        }
        (_, other) => other,
    };
    Err(bad(format!("it is no image but an artifact of type {}", kind.escape_default())))
}

fn check_layer(layer: &Descriptor) -> io::Result<()> {
    let kind = layer.media_type.as_str();
    let is_tar = kind.is_empty()
        || kind.contains(".layer.") && kind.contains(".tar")
        || kind.starts_with("application/vnd.docker.image.rootfs.") && kind.contains(".tar");
    if kind.ends_with("+encrypted") {
        return Err(bad(format!("the layer {} is encrypted", layer.digest)));
    }
    match is_tar {
        true => Ok(()),
        false => Err(bad(format!("the layer {} is no tar but {}", layer.digest, kind.escape_default()))),
    }
}

/// What a configuration says of the layers, and when the image was made.
fn configuration(name: &str, bytes: &[u8], wanted: &Wanted<'_>) -> io::Result<(Vec<Digest>, Time)> {
    let config: Config = parse(name, bytes)?;
    let platform = config.platform;
    match platform.serves(&wanted.platform) {
        true => Ok((config.rootfs.diff_ids, created::epoch(config.created.as_deref()))),
        false => Err(bad(format!(
            "the image is for {platform}, not for {}: --platform={platform} takes it",
            wanted.platform
        ))),
    }
}

fn check_count(layers: usize, diff_ids: usize) -> io::Result<()> {
    match layers == diff_ids {
        true => Ok(()),
        false => Err(bad(format!("its manifest has {layers} layers, its configuration {diff_ids}"))),
    }
}

fn from_docker(store: &dyn Store, images: &[DockerImage], wanted: &Wanted<'_>) -> io::Result<Image> {
    let image = one_docker(images, wanted.name)?;
    let expected = Expected { digest: digest_in_name(&image.config), size: None };
    let bytes = read_document(store, &image.config, expected)?;
    let (diff_ids, epoch) = configuration(&image.config, &bytes, wanted)?;
    check_count(image.layers.len(), diff_ids.len())?;
    let layer = |(file, diff_id): (&String, Digest)| {
        let digest = file.starts_with("blobs/").then(|| digest_in_name(file)).flatten();
        LayerBlob { file: file.clone(), stored: Expected { digest, size: None }, diff_id }
    };
    let layers = image.layers.iter().zip(diff_ids).map(layer).collect();
    Ok(Image { manifest: None, config: Digest::of(&bytes), config_file: image.config.clone(), epoch, layers })
}

fn one_docker<'a>(images: &'a [DockerImage], name: Option<&str>) -> io::Result<&'a DockerImage> {
    let listed = || {
        let tags = images.iter().map(|image| image.repo_tags.first().unwrap_or(&image.config));
        tags.take(20).map(|tag| tag.escape_default().to_string()).collect::<Vec<_>>().join(", ")
    };
    match (images, name) {
        ([], _) => Err(bad("there is no image in it")),
        ([only], None) => Ok(only),
        (_, None) => Err(bad(format!("there are several images in it, and none is named: {}", listed()))),
        (_, Some(name)) => {
            let is_named = |tag: &String| tag == name || *tag == format!("{name}:latest");
            let found = images.iter().find(|image| image.repo_tags.iter().any(is_named));
            found.ok_or_else(|| bad(format!("there is no image {name:?} in it: it has {}", listed())))
        }
    }
}

/// `docker save` names a configuration `HEX.json` or `blobs/sha256/HEX`, by its digest.
fn digest_in_name(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next().unwrap_or(name);
    Digest::parse(&format!("sha256:{}", last.strip_suffix(".json").unwrap_or(last))).ok()
}
