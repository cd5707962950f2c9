//! What becomes of the things of a store: each with its files, its bytes and the reason.
//! It decides nothing: `prune` does; `verdict_text` says it to people.
//! What the things are is docs/store.md's.

use std::fmt;

/// A thing of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// An image with all its files.
    Image(String),
    /// Hidden names of an image that was in the making, or files beside one that is not there.
    Leftover(String),
    /// A version of an app: its link.
    Version(String, u64),
    /// The directory of an app's versions, with `current`, when there is no version left and no app.
    Versions(String),
    /// What a reference was resolved to.
    Record(String),
    /// A blob of a container image.
    Blob(String),
    /// A blob that was not written to its end, or the directory of a pull that was killed.
    Piece(String),
    /// A small file below the store that is about nothing any more.
    Note(String),
    /// What a prune before this one took out and did not come to delete.
    Trash(String),
}

/// What becomes of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, for these reasons.
    Stays(Vec<String>),
    /// It goes, for this one.
    Goes(&'static str),
}

/// A thing and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The thing.
    pub item: Item,
    /// Its files in its directory.
    pub files: Vec<String>,
    /// Bytes it takes on the disk.
    pub bytes: u64,
    /// What becomes of it.
    pub fate: Fate,
}

impl Verdict {
    /// Whether it goes.
    pub fn goes(&self) -> bool {
        matches!(self.fate, Fate::Goes(_))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(name) => write!(f, "image {name}"),
            Self::Leftover(name) => write!(f, "leftover of {name}"),
            Self::Version(app, number) => write!(f, "version {number} of {app}"),
            Self::Versions(app) => write!(f, "versions of {app}"),
            Self::Record(reference) => write!(f, "record of {reference}"),
            Self::Blob(hex) => write!(f, "blob {hex}"),
            Self::Piece(name) => write!(f, "blob {name}"),
            Self::Note(path) => write!(f, "file {path}"),
            Self::Trash(name) => write!(f, "trash {name}"),
        }
    }
}
