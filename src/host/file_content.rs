//! A file's bytes with its holes left out.
//! It decides nothing; where holes are is the file system's to say, and one that does not know has none.
//! Source: lseek(2), SEEK_DATA and SEEK_HOLE.

use crate::image::tree::{Content, Piece};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;

/// A file that is read from its beginning to the size that it had.
#[derive(Debug)]
pub struct FileContent {
    file: File,
    size: u64,
    at: u64,
    /// Up to here there is data.
    data_end: u64,
    buffer: Vec<u8>,
}

impl FileContent {
    /// Begins.
    pub fn new(file: File, size: u64) -> Self {
        Self { file, size, at: 0, data_end: 0, buffer: Vec::new() }
    }

    /// Finds the next data; the hole before it, if there is one.
    fn look(&mut self) -> io::Result<Option<u64>> {
        let data = match seek(&self.file, SeekFrom::Data(self.at)) {
            Ok(data) => data.min(self.size),
            // Behind the last data.
            Err(Errno::NXIO) => self.size,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                self.data_end = self.size;
                return Ok(None);
            }
            Err(errno) => return Err(errno.into()),
        };
        if data > self.at {
            let hole = data - self.at;
            self.at = data;
            return Ok(Some(hole));
        }
        self.data_end = seek(&self.file, SeekFrom::Hole(self.at))?.min(self.size);
        Ok(None)
    }
}

impl Content for FileContent {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        if self.at >= self.size {
            return Ok(None);
        }
        if self.at >= self.data_end {
            if let Some(hole) = self.look()? {
                return Ok(Some(Piece::Hole(hole)));
            }
        }
        self.buffer.resize(BUFFER, 0);
        let most = usize::try_from(self.data_end - self.at).unwrap_or(usize::MAX).min(BUFFER);
        let count = self.file.read_at(&mut self.buffer[..most], self.at)?;
        self.at += count as u64;
        // A file that was cut meanwhile ends too early; whoever counts says so.
        Ok(Some(Piece::Data(&self.buffer[..count])).filter(|_| count > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_data_add_up_to_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("sparse");
        let file = File::create(&path).expect("made");
        file.set_len(10 << 20).expect("a hole");
        file.write_all_at(b"data", 5 << 20).expect("written");
        let mut content = FileContent::new(File::open(&path).expect("opened"), 10 << 20);
        let (mut at, mut data) = (0, 0);
        while let Some(piece) = content.next_piece().expect("read") {
            match piece {
                Piece::Hole(length) => at += length,
                Piece::Data(bytes) => {
                    data += bytes.len();
                    at += bytes.len() as u64;
                }
            }
        }
        assert_eq!(at, 10 << 20);
        assert!((4..=10 << 20).contains(&data), "{data}");
    }
}
