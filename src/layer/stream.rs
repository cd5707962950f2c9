//! A blob on its way to the tar reader: decompressed, counted, compared with what it must be.
//! It starts no thread; `pipeline` does.
//! Sources: the OCI image specification on digests, sizes and diff_ids; the limits are those of `limits`.

use super::compression::Decoder;
use super::digest::{Checked, Digest, Expected, Hasher};
use super::fault::{bad, within};
use std::io::{self, BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one chunk.
pub const CHUNK: usize = 256 << 10;

/// How many bytes of blobs have been read so far, for whoever shows progress.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// The bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A blob that is open, and what it must be.
pub struct Blob {
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
    /// Digest and size as they are stored.
    pub stored: Expected,
    /// The digest after decompression.
    pub diff_id: Option<Digest>,
}

/// Counts bytes.
struct Metered {
    inner: Box<dyn Read + Send>,
    meter: Meter,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.meter.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A blob that is being decompressed.
pub struct Decoding {
    decoder: Decoder<BufReader<Checked<Metered>>>,
    left: u64,
    limit: u64,
}

impl Decoding {
    /// Begins; at most `limit` bytes may come out.
    pub fn new(reader: Box<dyn Read + Send>, stored: Expected, limit: u64, meter: Meter) -> io::Result<Self> {
        let checked = Checked::new(Metered { inner: reader, meter }, stored);
        let decoder = Decoder::new(BufReader::with_capacity(CHUNK, checked))?;
        Ok(Self { decoder, left: limit, limit })
    }

    /// Fills a chunk as far as there is something; an empty one is the end, and everything was as expected.
    pub fn fill(&mut self, chunk: &mut Vec<u8>) -> io::Result<()> {
        chunk.resize(CHUNK, 0);
        let mut filled = 0;
        while filled < CHUNK {
            match self.decoder.read(&mut chunk[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explained(&error)),
            }
        }
        chunk.truncate(filled);
        if filled == 0 {
            return self.decoder.inner_mut().get_mut().finish();
        }
        self.left = self.left.checked_sub(filled as u64).ok_or_else(|| too_large(self.limit))?;
        Ok(())
    }

    /// A blob that is not what it must be is the better reason for not being able to decompress it.
    fn explained(&mut self, error: &io::Error) -> io::Error {
        if let Err(mismatch) = self.decoder.inner_mut().get_mut().finish() {
            return mismatch;
        }
        match error.raw_os_error() {
            Some(_) => within("reading", error),
            None => bad(format!("decompressing: {error}")),
        }
    }
}

/// The error of a bomb, or of an image that is larger than was thought of.
pub fn too_large(limit: u64) -> io::Error {
    bad(format!("there are more than {limit} bytes in the layers: the limit can be raised with --max-size"))
}

/// The digest of what was decompressed.
pub struct DiffId {
    expected: Digest,
    hasher: Hasher,
}

impl DiffId {
    /// Begins.
    pub fn new(expected: Digest) -> Self {
        Self { hasher: Hasher::new(expected.algorithm()), expected }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Compares.
    pub fn finish(self) -> io::Result<()> {
        let found = self.hasher.finish();
        if found == self.expected {
            return Ok(());
        }
        let expected = self.expected;
        Err(bad(format!("the digest of what was decompressed is wrong: expected {expected}, found {found}")))
    }
}
