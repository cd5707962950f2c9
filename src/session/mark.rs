//! What a session is, once it is whole: written last, shown by `veneer session`.
//! It opens nothing, and nobody's life hangs on it: what removes a session needs its name alone.
//! The format is JSON, for other programs; fields are added and never change their meaning (docs/sessions.md).

use crate::app::SessionKind;
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const VERSION: u32 = 1;

/// A session that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// The version of the format.
    pub version: u32,
    /// The app.
    pub app: String,
    /// The session's name.
    pub session: String,
    /// `image`, `tree` or `overlay`.
    pub kind: String,
    /// How the copy was made: a word of [`Method`].
    pub method: String,
    /// Why it was made like that.
    pub why: String,
    /// What it is a copy of.
    pub source: String,
    /// The root hash of that; absent if nothing verifies it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_hash: Option<String>,
    /// What others open or run in.
    pub path: String,
    /// Where what it writes is.
    pub data: String,
    /// When it was whole: microseconds since 1970.
    pub since: u64,
}

impl Mark {
    /// As text.
    pub fn to_text(&self) -> String {
        // A struct of strings and numbers has no way to fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads one; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mark: Self = serde_json::from_str(text).map_err(|error| format!("it is no mark of a session: {error}"))?;
        match mark.version {
            VERSION => Ok(mark),
            other => Err(format!("it is of version {other}, which this program does not know")),
        }
    }
}

/// How data came into a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Shared with the original until it is written (ioctl_ficlone(2)).
    Reflink,
    /// Copied by the kernel, holes left out (copy_file_range(2)).
    CopyFileRange,
    /// Read and written, zeros left out.
    SparseCopy,
    /// Not at all: what is written lies over the original.
    Overlay,
}

impl Method {
    /// The word in the mark.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reflink => "reflink",
            Self::CopyFileRange => "copy_file_range",
            Self::SparseCopy => "sparse copy",
            Self::Overlay => "overlay",
        }
    }
}

/// What was decided about a session, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct How {
    /// Never [`SessionKind::Auto`].
    pub kind: SessionKind,
    /// How its data comes.
    pub method: Method,
    /// Why, as one would say it: "the file system can", "EXDEV…".
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_and_half_a_mark_is_none() {
        let mark = Mark {
            version: VERSION,
            app: "a".into(),
            session: "b".into(),
            kind: "image".into(),
            method: Method::Reflink.name().into(),
            why: "it can".into(),
            source: "/i/a \"b\".raw".into(),
            root_hash: None,
            path: "/run/veneer/sessions/a/b/disk.raw".into(),
            data: "/var/lib/veneer/sessions/a/b".into(),
            since: 12,
        };
        let text = mark.to_text();
        assert_eq!(Mark::parse(&text), Ok(mark));
        assert!(Mark::parse(&text[..text.len() / 2]).is_err());
        assert!(Mark::parse(&text.replace("\"version\": 1", "\"version\": 2")).is_err());
    }
}
