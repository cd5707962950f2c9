//! What a pulled image is made of: the blobs that its manifest names, and what its configuration says for people.
//! It reads no file; the documents come in as bytes that somebody has held against their digests.
//! Source: the OCI image manifest and configuration specifications.

use crate::layer::digest::Digest;
use crate::layer::fault::bad;
use crate::oci::document::{Descriptor, Document, parse};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;

/// The manifest that a layout holds: it was made for one image.
pub fn manifest_of(index: &[u8]) -> io::Result<Descriptor> {
    let index: Document = parse("index.json", index)?;
    match index.manifests.as_deref() {
        Some([one]) => Ok(one.clone()),
        _ => Err(bad("skopeo wrote a layout of not just one image")),
    }
}

/// What a manifest names: its configuration first, then its layers.
pub fn named_by(manifest: &[u8]) -> io::Result<Vec<Descriptor>> {
    let manifest: Document = parse("the manifest", manifest)?;
    let config = manifest.config.ok_or_else(|| bad("the manifest names no configuration"))?;
    let layers = manifest.layers.ok_or_else(|| bad("the manifest names no layers"))?;
    Ok(std::iter::once(config).chain(layers).collect())
}

#[derive(Default, Deserialize)]
struct Inner {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct Labelled {
    #[serde(default)]
    config: Option<Inner>,
}

/// The labels of a configuration; what says none has none.
pub fn labels(config: &[u8]) -> BTreeMap<String, String> {
    let labelled: Labelled = serde_json::from_slice(config).unwrap_or_default();
    labelled.config.and_then(|inner| inner.labels).unwrap_or_default()
}

/// All blobs of an image in the order of a record: manifest, configuration, layers; each once.
pub fn all(manifest: &Digest, named: &[Descriptor]) -> Vec<Digest> {
    let mut all = vec![manifest.clone()];
    for descriptor in named {
        if !all.contains(&descriptor.digest) {
            all.push(descriptor.digest.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_its_blobs_once_each() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let manifest = format!(
            r#"{{"config":{{"digest":"{a}","size":1}},"layers":[{{"digest":"{b}","size":2}},{{"digest":"{b}","size":2}}]}}"#
        );
        let named = named_by(manifest.as_bytes()).expect("good");
        assert_eq!(all(&Digest::of(b"m"), &named), [Digest::of(b"m"), a, b]);
        for bad in ["{}", r#"{"layers":[]}"#, "["] {
            assert!(named_by(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(manifest_of(br#"{"manifests":[]}"#).is_err());
    }

    #[test]
    fn labels_are_those_of_the_configuration() {
        assert_eq!(labels(br#"{"config":{"Labels":{"a":"b"}}}"#).get("a").map(String::as_str), Some("b"));
        for none in [&b"{}"[..], br#"{"config":null}"#, br#"{"config":{"Labels":null}}"#, b"x"] {
            assert!(labels(none).is_empty());
        }
    }
}
