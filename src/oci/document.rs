//! The JSON documents of container images, as far as they are needed here.
//! It reads no file and chooses nothing.
//! Sources: the OCI image specification (index, manifest, config, descriptor), Docker's image manifest v2 schema 2, and
//! `docker save`'s manifest.json.

use crate::layer::digest::Digest;
use crate::layer::fault::bad;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::io;

/// Largest document that is read: the OCI distribution specification's limit for manifests.
pub const DOCUMENT_MAX: u64 = 4 << 20;

/// What points to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is; may be missing in old documents.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// For which machine it is.
    pub platform: Option<Platform>,
    /// What else is said of it; its name among it.
    #[serde(default, deserialize_with = "or_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What it is, if it is no image.
    pub artifact_type: Option<String>,
}

/// A machine that an image is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// The operating system: `linux`.
    #[serde(default)]
    pub os: String,
    /// The processor, in Go's words: `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// Which of its variants: `v8`.
    #[serde(default)]
    pub variant: Option<String>,
}

/// An index, or a manifest: they are told apart by what they have.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// What it says it is.
    #[serde(default)]
    pub media_type: String,
    /// 2 for all that is read here.
    pub schema_version: Option<u64>,
    /// An index's entries.
    pub manifests: Option<Vec<Descriptor>>,
    /// A manifest's configuration.
    pub config: Option<Descriptor>,
    /// A manifest's layers, the lowest first.
    pub layers: Option<Vec<Descriptor>>,
    /// What it is, if it is no image.
    pub artifact_type: Option<String>,
}

/// An image's configuration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    /// The machine it is for.
    #[serde(flatten)]
    pub platform: Platform,
    /// When it was made.
    #[serde(default)]
    pub created: Option<String>,
    /// Its layers.
    #[serde(default)]
    pub rootfs: RootFs,
}

/// What an image's configuration says of its layers.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RootFs {
    /// Each layer's digest after decompression, the lowest first.
    #[serde(default, deserialize_with = "digests")]
    pub diff_ids: Vec<Digest>,
}

/// An image in `docker save`'s manifest.json.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerImage {
    /// The file with its configuration.
    pub config: String,
    /// Its names.
    #[serde(default, deserialize_with = "or_empty")]
    pub repo_tags: Vec<String>,
    /// The files of its layers, the lowest first.
    pub layers: Vec<String>,
}

/// Reads a document; the error says what it is.
pub fn parse<T: for<'a> Deserialize<'a>>(what: &str, bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|error| bad(format!("{what}: {error}")))
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    Digest::parse(&text).map_err(serde::de::Error::custom)
}

fn digests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Digest>, D::Error> {
    let texts = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
    texts.iter().map(|text| Digest::parse(text).map_err(serde::de::Error::custom)).collect()
}

/// Go writes an empty list as `null`.
fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_and_what_is_not_known_is_passed_over() {
        let digest = Digest::of(b"");
        let text = format!(
            r#"{{"schemaVersion":2,"x":1,"config":{{"digest":"{digest}","size":3,"annotations":null}},"layers":[]}}"#
        );
        let document: Document = parse("manifest", text.as_bytes()).expect("good");
        assert_eq!(document.config.map(|config| (config.digest, config.size)), Some((digest, 3)));
        assert!(document.manifests.is_none());
    }

    #[test]
    fn wrong_documents_are_refused_with_their_name() {
        for text in [
            "",
            "[]",
            "{",
            r#"{"manifests":[{"digest":"sha256:0","size":1}]}"#,
            r#"{"manifests":[{"size":1}]}"#,
            r#"{"manifests":{}}"#,
            &format!(r#"{{"config":{{"digest":"{}","size":-1}}}}"#, Digest::of(b"")),
            &"[".repeat(100_000),
        ] {
            let said = parse::<Document>("index.json", text.as_bytes()).expect_err(text).to_string();
            assert!(said.starts_with("index.json: "), "{said}");
        }
        assert!(parse::<Vec<DockerImage>>("manifest.json", br#"[{"Config":"x"}]"#).is_err());
    }
}
