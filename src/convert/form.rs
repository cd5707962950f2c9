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

    /// The version of the layout that is written.
    pub fn layout_version(self) -> u32 {
        match self {
            Self::Erofs(_) => erofs::LAYOUT_VERSION,
            Self::Ext4(..) => ext4::LAYOUT_VERSION,
        }
    }
}
