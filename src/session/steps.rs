//! What making a session does once its image is found good: a list, shown by `--dry-run`, then done.
//! It does nothing itself; `host::session::create` does each step.
//! The order matters: the mark comes last, and whatever is made can be found from the session's name at any time.

use crate::size::Size;
use std::fmt;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The session's place, if the limits allow one more, and its data's.
    Claim {
        /// What others rely on.
        dir: String,
        /// What the session writes.
        data: String,
    },
    /// The copy of an image.
    Disk {
        /// The image.
        from: String,
        /// The copy.
        to: String,
    },
    /// A larger disk, and the file system in it.
    Grow(String, Size),
    /// The copy of a tree.
    Tree {
        /// The tree.
        from: String,
        /// The copy.
        to: String,
    },
    /// An overlay.
    Overlay {
        /// Its read-only layers, topmost first.
        lower: Vec<String>,
        /// The directory that holds its writable side.
        data: String,
        /// Where it is mounted.
        at: String,
    },
    /// A tree's copy, seen where others rely on it.
    Bind {
        /// The copy.
        from: String,
        /// Where it is mounted.
        at: String,
    },
    /// A link to the copy.
    Link {
        /// Where the link is.
        at: String,
        /// Where it leads.
        to: String,
    },
    /// The mark that the session is whole.
    Mark(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim { dir, data } => write!(f, "make {dir} and {data}"),
            Self::Disk { from, to } => write!(f, "copy {from} to {to}"),
            Self::Grow(path, size) => write!(f, "grow {path} to {size}"),
            Self::Tree { from, to } => write!(f, "copy all of {from} to {to}"),
            Self::Overlay { lower, data, at } => {
                write!(f, "mount an overlay at {at}: {} below, {data} for what is written", lower.join(", "))
            }
            Self::Bind { from, at } => write!(f, "mount {from} at {at}"),
            Self::Link { at, to } => write!(f, "link {at} to {to}"),
            Self::Mark(path) => write!(f, "write the mark {path}"),
        }
    }
}
