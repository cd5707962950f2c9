//! Where an image's files are, by the names that an OCI layout gives them.
//! It opens nothing itself; `host` has directories and archives.
//! Source: the OCI image layout specification.

use super::document::DOCUMENT_MAX;
use crate::layer::digest::{Checked, Digest, Expected};
use crate::layer::fault::{bad, within};
use std::io::{self, Read};

/// A file of a store, open.
pub struct StoredFile {
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
    /// How many.
    pub size: u64,
}

/// A layout: a directory, an archive of one, or what can be read like one.
pub trait Store {
    /// Opens a file by its name in the layout; nothing if there is none.
    fn open(&self, name: &str) -> io::Result<Option<StoredFile>>;
}

/// Where a blob is in a layout.
pub fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// Opens a blob that has to be there.
pub fn open_blob(store: &dyn Store, name: &str) -> io::Result<StoredFile> {
    store.open(name)?.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not there")))
}

/// Reads a document whole, and checks it.
pub fn read_document(store: &dyn Store, name: &str, expected: Expected) -> io::Result<Vec<u8>> {
    let file = open_blob(store, name)?;
    read(file, expected).map_err(|error| within(name, &error))
}

/// Reads a document if it is there.
pub fn find_document(store: &dyn Store, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = store.open(name).map_err(|error| within(name, &error))?;
    file.map(|file| read(file, Expected::default()).map_err(|error| within(name, &error))).transpose()
}

fn read(file: StoredFile, expected: Expected) -> io::Result<Vec<u8>> {
    let size = expected.size.unwrap_or(0).max(file.size);
    if size > DOCUMENT_MAX {
        return Err(bad(format!("the document has {size} bytes, the limit is {DOCUMENT_MAX}")));
    }
    let mut bytes = Vec::new();
    let mut checked = Checked::new(file.reader, expected);
    checked.by_ref().take(DOCUMENT_MAX).read_to_end(&mut bytes)?;
    checked.finish()?;
    Ok(bytes)
}
