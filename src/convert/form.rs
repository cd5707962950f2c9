//! The form of an image: its file system with all that is chosen about it.
//! It lays nothing out; the writers do, in `image`.
//! The words are those of the command line (docs/convert.md).

use crate::image::erofs::{self, EqualFiles};
use crate::image::ext4::{self, Journal, Size};

/// What an image is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// EROFS: read-only, small, quick to write.
    Erofs(EqualFiles),
    /// ext4, for writable roots of virtual machines.
    Ext4(Size, Journal),
}

impl Form {
    /// Its name, as in `--format` and the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs(_) => "erofs",
            Self::Ext4(..) => "ext4",
        }
    }

    /// What else decides the bytes, as a recipe has it.
    pub fn options(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Erofs(EqualFiles::Apart) => Vec::new(),
            Self::Erofs(EqualFiles::Shared) => vec![("deduplicate", "yes".into())],
            Self::Ext4(size, journal) => {
                let size = if let Size::Bytes(bytes) = size { bytes.to_string() } else { "exact".into() };
                let journal = if journal == Journal::None { "none" } else { "by-size" };
                vec![("size", size), ("journal", journal.into())]
            }
        }
    }

    /// The version of the layout that is written.
    pub fn layout_version(self) -> u32 {
        match self {
            Self::Erofs(_) => erofs::LAYOUT_VERSION,
            Self::Ext4(..) => ext4::LAYOUT_VERSION,
        }
    }
}
