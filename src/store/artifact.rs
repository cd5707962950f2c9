//! An image with its hash tree, root hash and signature as an OCI artifact: what a registry keeps and other hosts pull.
//! It reads and writes no blob: documents come out as text, and come in as bytes.
//! Source: the OCI image specification, "Guidelines for Artifact Usage"; docs/store.md, "Push".

use crate::image::publish::Part;
use crate::layer::digest::Digest;
use crate::oci::document::{Descriptor, Document};
use serde_json::{Value, json};

/// What our artifacts say they are.
pub const TYPE: &str = "application/vnd.veneer.image.v1";
/// What stands for no configuration, with its two bytes.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The bytes of no configuration.
pub const EMPTY_CONFIG: &[u8] = b"{}";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Parts that an image cannot be without.
const NEEDED: [Part; 3] = [Part::Raw, Part::Tree, Part::RootHash];

/// A file of an image as a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which file.
    pub part: Part,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// The manifest of an image's files. `name` is what a person calls it.
pub fn manifest(pieces: &[Piece], name: &str, root_hash: &str) -> Value {
    let layer = |piece: &Piece| {
        json!({
            "mediaType": media_type(piece.part),
            "digest": piece.digest.as_str(),
            "size": piece.size,
            "annotations": { "org.opencontainers.image.title": format!("{name}.{}", piece.part.ending()) },
        })
    };
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": TYPE,
        "config": { "mediaType": EMPTY, "digest": Digest::of(EMPTY_CONFIG).as_str(), "size": EMPTY_CONFIG.len() },
        "layers": pieces.iter().map(layer).collect::<Vec<_>>(),
        "annotations": { "org.veneer.root-hash": root_hash },
    })
}

/// The index of a layout with one manifest.
pub fn index(manifest_type: &str, digest: &Digest, size: usize, name: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": manifest_type,
            "digest": digest.as_str(),
            "size": size,
            "annotations": { "org.opencontainers.image.ref.name": name },
        }],
    })
}

/// What a layout says of itself (`oci-layout`).
pub const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
/// The type of a manifest that names none.
pub const MANIFEST_TYPE: &str = MANIFEST;

/// The files of the image that a manifest is of; none if it is no artifact of ours. The error is a sentence.
pub fn pieces(document: &Document) -> Option<Result<Vec<Piece>, String>> {
    (document.artifact_type.as_deref() == Some(TYPE)).then(|| read(document.layers.as_deref().unwrap_or_default()))
}

fn read(layers: &[Descriptor]) -> Result<Vec<Piece>, String> {
    let mut pieces: Vec<Piece> = Vec::new();
    for layer in layers {
        // What a later version adds is passed over.
        let Some(part) = Part::ALL.into_iter().find(|part| media_type(*part) == layer.media_type) else { continue };
        if pieces.iter().any(|piece| piece.part == part) {
            return Err(format!("it has two files of type {}", layer.media_type));
        }
        pieces.push(Piece { part, digest: layer.digest.clone(), size: layer.size });
    }
    match NEEDED.iter().find(|part| !pieces.iter().any(|piece| piece.part == **part)) {
        Some(part) => Err(format!("it has no file of type {}", media_type(*part))),
        None => Ok(pieces),
    }
}

fn media_type(part: Part) -> String {
    format!("{TYPE}.{}", part.ending())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::document::parse;

    fn piece(part: Part) -> Piece {
        Piece { part, digest: Digest::of(part.ending().as_bytes()), size: 7 }
    }

    fn document(pieces: &[Piece]) -> Document {
        parse("manifest", manifest(pieces, "hello", "ab").to_string().as_bytes()).expect("good manifest")
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all = Part::ALL.map(piece).to_vec();
        assert_eq!(pieces(&document(&all)), Some(Ok(all.clone())));
        assert_eq!(pieces(&document(&all[..3])), Some(Ok(all[..3].to_vec())));
    }

    #[test]
    fn other_manifests_are_not_ours_and_halves_are_refused() {
        let mut other = document(&[]);
        other.artifact_type = None;
        assert_eq!(pieces(&other), None);
        let said = pieces(&document(&[piece(Part::Raw), piece(Part::Tree)])).expect("ours").expect_err("half");
        assert_eq!(said, "it has no file of type application/vnd.veneer.image.v1.roothash");
        let twice = [piece(Part::Raw), piece(Part::Raw)];
        assert!(pieces(&document(&twice)).expect("ours").expect_err("twice").contains("two files"));
    }
}
