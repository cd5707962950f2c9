//! Bytes of an archive on their way in, with a way past those that nobody wants.
//! It opens nothing; `host` has the files.
//! Seeking past the end is no error to the kernel, so whoever seeks must know the length.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek};

/// A stream that can leave bytes out.
pub trait Input: BufRead {
    /// Goes past so many bytes; an end before that is `UnexpectedEof`.
    fn pass(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let have = self.fill_buf()?.len();
            if have == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(have);
            self.consume(step);
            count -= step as u64;
        }
        Ok(())
    }

    /// Where the stream is, for streams that know.
    fn position(&self) -> u64 {
        0
    }
}

impl Input for &[u8] {}
impl Input for Box<dyn Input + Send> {
    fn pass(&mut self, count: u64) -> io::Result<()> {
        (**self).pass(count)
    }

    fn position(&self) -> u64 {
        (**self).position()
    }
}

/// An archive that is a file: what is not wanted is not read.
#[derive(Debug)]
pub struct Seekable<R> {
    inner: BufReader<R>,
    position: u64,
    length: u64,
}

impl<R: Read + Seek> Seekable<R> {
    /// A file of known length, from its beginning.
    pub fn new(inner: R, length: u64) -> Self {
        Self { inner: BufReader::new(inner), position: 0, length }
    }
}

impl<R: Read + Seek> Read for Seekable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: Read + Seek> BufRead for Seekable<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
        self.inner.consume(count);
    }
}

impl<R: Read + Seek> Input for Seekable<R> {
    fn pass(&mut self, count: u64) -> io::Result<()> {
        if count > self.length.saturating_sub(self.position) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.inner.seek_relative(i64::try_from(count).map_err(io::Error::other)?)?;
        self.position += count;
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position
    }
}
