//! What a layer says of a name, whether an archive says it or a directory, and how it is asked.
//! It merges nothing: a whiteout is an entry like any other here.
//! Source: the OCI image layer specification.

use super::path::LayerPath;
use crate::image::tree::{Content, Meta, Special};
use std::io;

/// One thing that a layer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name it is about.
    pub path: LayerPath,
    /// What is said of it.
    pub kind: Kind,
}

/// What can be said of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory; the names in it come as entries of their own.
    Directory(Meta),
    /// A directory if there is none of this name; one that is there stays as it is.
    AnyDirectory(Meta),
    /// A regular file of so many bytes, which [`LayerReader::content`] gives.
    File(Meta, u64),
    /// A link, a device, a pipe or a socket.
    Special(Meta, Special),
    /// Another name of something else, in this layer or below.
    HardLink(LayerPath),
    /// Lower layers have nothing of this name.
    Whiteout,
    /// Lower layers have nothing in this directory.
    Opaque,
}

/// A layer that is being read.
pub trait LayerReader {
    /// The next entry; nothing behind the last one, and then everything that could be checked was right.
    fn next_entry(&mut self) -> io::Result<Option<Entry>>;

    /// The bytes of the file that came last.
    fn content(&mut self) -> &mut dyn Content;

    /// Bytes that have come out of it so far, decompressed.
    fn bytes(&self) -> u64 {
        0
    }
}

/// Whether a layer can be read a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It can.
    Possible,
    /// It cannot: a pipe.
    Impossible,
}

/// A layer that can be read.
pub trait Layer {
    /// Its name, for messages.
    fn name(&self) -> String;

    /// Opens it; at most `limit` bytes may come out of it.
    fn open(&self, limit: u64) -> io::Result<Box<dyn LayerReader + '_>>;

    /// Whether it can be opened twice.
    fn again(&self) -> Again {
        Again::Possible
    }
}
