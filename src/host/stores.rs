//! Files of container images: in a directory, in an archive, and with the bytes of a part of a file.
//! It reads no document and checks no digest: `oci` does.
//! Source: the OCI image layout specification.

use crate::layer::compression::Compression;
use crate::layer::fault::{bad, within};
use crate::layer::input::Seekable;
use crate::layer::path::LayerPath;
use crate::oci::archive::{ArchiveIndex, Place};
use crate::oci::store::{Store, StoredFile};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a regular file; anything else is refused, and nothing waits for a pipe's other end.
pub fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let about = |error: io::Error| within(path.display(), &error);
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(about)?;
    let metadata = file.metadata().map_err(about)?;
    match metadata.is_file() {
        true => Ok((file, metadata.len())),
        false => Err(about(bad("it is no regular file"))),
    }
}

/// A layout in a directory.
#[derive(Debug)]
pub struct LayoutDirectory(pub PathBuf);

impl Store for LayoutDirectory {
    fn open(&self, name: &str) -> io::Result<Option<StoredFile>> {
        // A name out of a document must not lead out of the directory.
        let name = LayerPath::parse(name.as_bytes())?;
        match open_regular(&self.0.join(OsStr::from_bytes(name.as_bytes()))) {
            Ok((file, size)) => Ok(Some(StoredFile { reader: Box::new(file), size })),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A layout in an archive, which stays one.
#[derive(Debug)]
pub struct LayoutArchive {
    file: Arc<File>,
    index: ArchiveIndex,
}

impl LayoutArchive {
    /// Reads the archive's headers.
    pub fn open(path: &Path) -> io::Result<Self> {
        let about = |error: io::Error| within(path.display(), &error);
        let (file, size) = open_regular(path)?;
        let file = Arc::new(file);
        check_plain(&file).map_err(about)?;
        let index = ArchiveIndex::read(Seekable::new(&*file, size)).map_err(about)?;
        Ok(Self { file, index })
    }
}

/// What is in a compressed archive can only be read from its beginning.
fn check_plain(file: &File) -> io::Result<()> {
    let mut head = [0; 8];
    let count = file.read_at(&mut head, 0)?;
    let how = match Compression::of(&head[..count])? {
        Compression::Plain => return Ok(()),
        Compression::Gzip => "gunzip",
        Compression::Zstd => "unzstd",
        Compression::Xz => "unxz",
    };
    Err(bad(format!("an archive of images is read here and there, and it is compressed: {how} it before")))
}

impl Store for LayoutArchive {
    fn open(&self, name: &str) -> io::Result<Option<StoredFile>> {
        let Some(place) = self.index.find(name) else { return Ok(None) };
        let reader = Part { file: Arc::clone(&self.file), place };
        Ok(Some(StoredFile { reader: Box::new(reader), size: place.size }))
    }
}

/// What is left of a part of a file.
struct Part {
    file: Arc<File>,
    place: Place,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.place.size).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.place.offset)?;
        self.place.offset += count as u64;
        self.place.size -= count as u64;
        Ok(count)
    }
}
