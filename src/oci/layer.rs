//! Layers of an image, and a tar that is one by itself, ready for the merge.
//! They are opened when they are read, and can be opened again.
//! What is checked while they are read is what the manifest and the configuration say.

use super::image::LayerBlob;
use super::store::{Store, StoredFile, open_blob};
use crate::layer::archive::ArchiveReader;
use crate::layer::digest::{Digest, Expected};
use crate::layer::entry::{Again, Layer, LayerReader};
use crate::layer::limits::Limits;
use crate::layer::pipeline::{Stream, Threads};
use crate::layer::stream::{Blob, Meter};
use std::io;
use std::rc::Rc;

/// How layers are read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Bounds.
    pub limits: Limits,
    /// How the work is spread.
    pub threads: Threads,
    /// What counts the bytes.
    pub meter: Meter,
}

impl Reading {
    /// Begins to read an archive.
    pub fn open(
        &self,
        file: StoredFile,
        stored: Expected,
        diff_id: Option<Digest>,
        limit: u64,
    ) -> io::Result<ArchiveReader> {
        let blob = Blob { reader: file.reader, stored, diff_id };
        let stream = Stream::open(blob, limit, self.meter.clone(), self.threads)?;
        Ok(ArchiveReader::new(stream, self.limits))
    }
}

/// A layer of an image in a store.
pub struct ImageLayer {
    /// Where it is.
    pub store: Rc<dyn Store>,
    /// What it is.
    pub blob: LayerBlob,
    /// How it is read.
    pub reading: Reading,
}

impl Layer for ImageLayer {
    fn name(&self) -> String {
        format!("layer {}", self.blob.stored.digest.as_ref().unwrap_or(&self.blob.diff_id))
    }

    fn open(&self, limit: u64) -> io::Result<Box<dyn LayerReader + '_>> {
        let file = open_blob(&*self.store, &self.blob.file)?;
        let diff_id = Some(self.blob.diff_id.clone());
        // What is stored as it is has one digest, not two.
        let diff_id = diff_id.filter(|diff_id| self.blob.stored.digest.as_ref() != Some(diff_id));
        Ok(Box::new(self.reading.open(file, self.blob.stored.clone(), diff_id, limit)?))
    }
}

/// A tar by itself.
pub struct TarLayer<F> {
    /// Its name, for messages.
    pub name: String,
    /// Opens it.
    pub file: F,
    /// Whether it can be opened twice.
    pub again: Again,
    /// How it is read.
    pub reading: Reading,
}

impl<F: Fn() -> io::Result<StoredFile>> Layer for TarLayer<F> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn open(&self, limit: u64) -> io::Result<Box<dyn LayerReader + '_>> {
        Ok(Box::new(self.reading.open((self.file)()?, Expected::default(), None, limit)?))
    }

    fn again(&self) -> Again {
        self.again
    }
}
