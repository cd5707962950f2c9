//! What the store knows besides images: what a reference was resolved to, and what the admin has pinned.
//! It opens nothing: texts come in and go out, `host::store` has the files.
//! Form: JSON, a small file each; unknown keys of later versions are passed over.

use crate::image::publish::ImageName;
use crate::layer::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a reference was resolved to, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The reference as it was written, `docker://registry.example/hello:1`.
    pub reference: String,
    /// The digest of the manifest it led to.
    pub manifest: Digest,
    /// The image made of it; none as long as there is none.
    pub image: Option<ImageName>,
    /// When it was resolved: seconds since 1970.
    pub when: u64,
    /// The labels of the container image.
    pub labels: BTreeMap<String, String>,
    /// All blobs that `export` needs: manifest, configuration, layers.
    pub blobs: Vec<Digest>,
}

/// A record as it stands in its file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RecordText {
    reference: String,
    manifest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    when: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blobs: Vec<String>,
}

impl Record {
    /// The name of the file of a reference's record: references hold what file names cannot.
    pub fn file_name(reference: &str) -> String {
        format!("{}.json", Digest::of(reference.as_bytes()).hex())
    }

    /// The text of the file.
    pub fn to_text(&self) -> serde_json::Result<String> {
        let text = RecordText {
            reference: self.reference.clone(),
            manifest: self.manifest.to_string(),
            image: self.image.as_ref().map(ToString::to_string),
            when: self.when,
            labels: self.labels.clone(),
            blobs: self.blobs.iter().map(ToString::to_string).collect(),
        };
        serde_json::to_string_pretty(&text).map(|text| text + "\n")
    }

    /// Reads a record; the error is a sentence.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text: RecordText = serde_json::from_slice(text).map_err(|error| format!("it is no record: {error}"))?;
        Ok(Self {
            reference: text.reference,
            manifest: Digest::parse(&text.manifest)?,
            image: text.image.as_deref().map(ImageName::parse).transpose()?,
            when: text.when,
            labels: text.labels,
            blobs: text.blobs.iter().map(|blob| Digest::parse(blob)).collect::<Result<_, _>>()?,
        })
    }
}

/// That an image stays, whatever refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// When it was pinned: seconds since 1970.
    pub when: u64,
    /// Why, in the admin's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Pin {
    /// The text of the file.
    pub fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string(self).map(|text| text + "\n")
    }

    /// Reads a pin; the error is a sentence.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| format!("it is no pin: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            reference: "docker://r.example/a/b:1".into(),
            manifest: Digest::of(b"m"),
            image: Some(ImageName::parse("sha256-12").expect("good name")),
            when: 1_800_000_000,
            labels: BTreeMap::from([("org.opencontainers.image.title".into(), "A".into())]),
            blobs: vec![Digest::of(b"m"), Digest::of(b"c")],
        }
    }

    #[test]
    fn records_and_pins_come_back_as_they_were() {
        for record in [record(), Record { image: None, labels: BTreeMap::new(), blobs: Vec::new(), ..record() }] {
            assert_eq!(Record::parse(record.to_text().expect("text").as_bytes()), Ok(record));
        }
        for reason in [None, Some("for the auditors".to_owned())] {
            let pin = Pin { when: 12, reason };
            assert_eq!(Pin::parse(pin.to_text().expect("text").as_bytes()), Ok(pin));
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_a_sentence() {
        let text = record().to_text().expect("text");
        for bad in
            ["", "{}", &text[..text.len() / 2], &text.replace("sha256:", "md5:"), &text.replace("sha256-12", ".")]
        {
            assert!(Record::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Record::parse(text.replacen('{', "{\"later\": 1,", 1).as_bytes()).is_ok());
    }

    #[test]
    fn every_reference_has_a_file_of_its_own() {
        let names = ["docker://a:1", "docker://a:2", &"x".repeat(5000)].map(Record::file_name);
        assert!(names[0] != names[1] && names.iter().all(|name| name.len() == 69));
    }
}
