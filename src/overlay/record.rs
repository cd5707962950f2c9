//! What is known of one overlay: one JSON file that is whole or absent.
//! It says what is meant to be; whether it is mounted is the kernel's to say.
//! Fields are an interface (`docs/overlays.md`): they keep their meaning, and unknown ones are passed over.

use super::OverlayName;
use crate::path::AbsPath;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this format.
pub const FORMAT: u32 = 1;
/// How many versions before the one in use are kept.
pub const KEPT: usize = 2;

/// One overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The version of the format.
    pub format: u32,
    /// Its name.
    pub name: OverlayName,
    /// What it lies over, without links.
    pub target: AbsPath,
    /// What it is laid over: a directory or a single file.
    pub kind: Kind,
    /// Whether it can be written.
    pub mode: Mode,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// The most bytes that may be written into it.
    pub size: u64,
    /// Whose it is: a user's number.
    pub owner: u32,
    /// What a person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was first applied, in seconds since 1970.
    pub created: u64,
    /// What lay beneath it then.
    pub base: Base,
    /// What is done when that has changed.
    pub base_changed: OnChange,
    /// Further options of overlayfs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The file of overlays.d that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// An act that was begun: it is finished, or undone, by whoever comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// The version in use.
    pub current: u32,
    /// The versions that are kept, the oldest first.
    pub versions: Vec<Version>,
}

/// What an overlay is laid over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A directory: an overlay.
    Directory,
    /// A file: a bind mount.
    File,
}

/// Whether an overlay can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It cannot.
    #[default]
    ReadOnly,
    /// What is written goes to a layer of its own.
    Writable,
}

impl Mode {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Writable => "writable",
        }
    }
}

/// How long an overlay stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// Until the next boot.
    #[default]
    Transient,
    /// Until it is removed.
    Persistent,
}

impl Lifetime {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Persistent => "persistent",
        }
    }
}

/// What lay beneath an overlay when it was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Base {
    /// The system's own name of its version: os-release(5), `IMAGE_VERSION=`, `BUILD_ID=`, `VERSION_ID=` after `ID=`.
    pub system: String,
    /// SHA-256 of what the overlay hides: names, types, modes, owners and content.
    pub hidden: String,
    /// How many files and links that are.
    pub hidden_files: u64,
}

/// What is done when the base has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnChange {
    /// It is mounted, with a warning.
    #[default]
    Warn,
    /// It is held back until somebody has looked.
    Hold,
}

/// An act that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pending {
    /// The first apply: undone.
    Apply,
    /// The removal: finished.
    Remove,
}

/// One version of an overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Version {
    /// Its number; numbers are never used again.
    pub number: u32,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// By which act.
    pub by: Act,
    /// What its read-only layer is.
    pub source: Source,
    /// The most bytes that may be written into it; older records have the overlay's own size for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What was committed of it, if anything: paths of images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub committed: Vec<String>,
}

/// What made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// `apply`, the first or a later one.
    Apply,
    /// `reset`.
    Reset,
    /// `rollback`.
    Rollback,
    /// `import`.
    Import,
    /// `commit`.
    Commit,
}

impl Act {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Reset => "reset",
            Self::Rollback => "rollback",
            Self::Import => "import",
            Self::Commit => "commit",
        }
    }
}

/// The read-only layer of a version: a copy that nobody changes any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Source {
    /// Several versions may have the same copy.
    pub number: u32,
    /// Where it came from, for people.
    pub from: String,
    /// What it is.
    pub kind: SourceKind,
    /// The bytes in it.
    pub bytes: u64,
    /// The files, links and directories in it.
    pub entries: u64,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A copy of a directory, or of a file in one of its own.
    Tree,
    /// A copy of an image that fits this root hash.
    Image(String),
}

impl Record {
    /// The version in use.
    pub fn version(&self) -> Option<&Version> {
        self.find(self.current)
    }

    /// A version by its number.
    pub fn find(&self, number: u32) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The bytes that are kept free to be written into a version.
    pub fn room(&self, version: &Version) -> u64 {
        match self.mode {
            Mode::ReadOnly => 0,
            Mode::Writable => version.size.unwrap_or(self.size),
        }
    }

    /// The bytes of versions: of each source once, and of all that may be written.
    pub fn bytes(&self, versions: &[Version]) -> u64 {
        let sources: BTreeMap<u32, u64> =
            versions.iter().map(|version| (version.source.number, version.source.bytes)).collect();
        let rooms = versions.iter().map(|version| self.room(version));
        sources.into_values().chain(rooms).fold(0, u64::saturating_add)
    }

    /// The versions that stay when another one comes.
    pub fn staying(&self) -> &[Version] {
        &self.versions[self.versions.len().saturating_sub(KEPT)..]
    }

    /// The bytes that a new version with the source and the size of this one adds to those that stay.
    pub fn bytes_again(&self, version: &Version) -> u64 {
        let staying = self.staying();
        let has_source = staying.iter().any(|other| other.source.number == version.source.number);
        let source = if has_source { 0 } else { version.source.bytes };
        self.room(version).saturating_add(source)
    }

    /// The number of the next version.
    pub fn next_number(&self) -> u32 {
        self.versions.iter().map(|version| version.number).max().unwrap_or(0) + 1
    }

    /// The number of the next source.
    pub fn next_source(&self) -> u32 {
        self.versions.iter().map(|version| version.source.number).max().unwrap_or(0) + 1
    }

    /// Makes a version the one in use, and forgets the oldest beyond what is kept.
    pub fn advance(&mut self, version: Version) {
        self.current = version.number;
        self.versions.push(version);
        let extra = self.versions.len().saturating_sub(KEPT + 1);
        self.versions.drain(..extra);
    }

    /// Keeps a version beside the one in use, which stays: it is the newest of the older ones.
    pub fn keep(&mut self, version: Version) {
        let at = self.versions.iter().position(|other| other.number == self.current).unwrap_or(self.versions.len());
        self.versions.insert(at, version);
        let extra = self.versions.len().saturating_sub(KEPT + 1);
        self.versions.drain(..extra);
    }

    /// Reads a record; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let record: Self = serde_json::from_str(text).map_err(|error| format!("it is no record: {error}"))?;
        if record.format != FORMAT {
            return Err(format!("it is a record of format {}, and this version knows {FORMAT}", record.format));
        }
        if record.version().is_none() {
            return Err(format!("it does not have its version {}", record.current));
        }
        Ok(record)
    }

    /// The record as text.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(name: &str, target: &str) -> Record {
        let source = Source { number: 1, from: "/srv/site".into(), kind: SourceKind::Tree, bytes: 10, entries: 2 };
        Record {
            format: FORMAT,
            name: OverlayName::parse(name).expect("good name"),
            target: AbsPath::parse(target).expect("good path"),
            kind: Kind::Directory,
            mode: Mode::Writable,
            lifetime: Lifetime::Transient,
            size: 1 << 20,
            owner: 0,
            description: None,
            created: 5,
            base: Base::default(),
            base_changed: OnChange::Warn,
            options: Vec::new(),
            declared: None,
            pending: None,
            current: 1,
            versions: vec![Version { number: 1, made: 5, by: Act::Apply, source, size: None, committed: Vec::new() }],
        }
    }

    #[test]
    fn a_record_comes_back_and_half_of_one_is_none() {
        let record = record("a", "/usr/share/a");
        let text = record.to_text().expect("written");
        assert_eq!(Record::parse(&text), Ok(record));
        assert!(Record::parse(&text[..text.len() / 2]).is_err());
        assert!(Record::parse(&text.replace("\"format\": 1", "\"format\": 2")).is_err());
        assert!(Record::parse(&text.replace("\"current\": 1", "\"current\": 7")).is_err());
        assert!(Record::parse(&text.replace("\"name\": \"a\"", "\"name\": \"../a\"")).is_err());
        assert!(Record::parse(&text.replace("{\n  \"format\"", "{\n  \"later\": [1],\n  \"format\"")).is_ok());
    }

    #[test]
    fn every_version_that_is_kept_counts_with_its_own_size_and_each_source_once() {
        let mut record = record("a", "/usr/share/a");
        (record.size, record.versions[0].size) = (1 << 20, Some(64 << 20));
        let small = Version { number: 2, size: Some(1 << 20), ..record.versions[0].clone() };
        record.advance(small.clone());
        assert_eq!(record.bytes(&record.versions), (64 << 20) + (1 << 20) + 10);
        // A version of before sizes were recorded has the overlay's.
        record.advance(Version { number: 3, size: None, ..small.clone() });
        assert_eq!(record.bytes(&record.versions), (64 << 20) + (2 << 20) + 10);
        assert_eq!(record.staying().iter().map(|version| version.number).collect::<Vec<_>>(), [2, 3]);
        // Going back to the large one makes another large one; its source is that of those that stay.
        assert_eq!(record.bytes_again(&record.versions[0]), 64 << 20);
        record.versions[0].source.number = 9;
        assert_eq!(record.bytes_again(&record.versions[0]), (64 << 20) + 10);
        record.mode = Mode::ReadOnly;
        assert_eq!(record.bytes(&record.versions), 20);
        assert_eq!(record.bytes(&[Version { size: Some(u64::MAX), ..small.clone() }, small]), 10);
    }

    #[test]
    fn the_oldest_versions_are_forgotten_and_numbers_never_come_back() {
        let mut record = record("a", "/usr/share/a");
        for _ in 0..5 {
            let number = record.next_number();
            let version = Version { number, by: Act::Reset, ..record.versions[0].clone() };
            record.advance(version);
        }
        let kept: Vec<u32> = record.versions.iter().map(|version| version.number).collect();
        assert_eq!((kept, record.current), (vec![4, 5, 6], 6));
    }
}
