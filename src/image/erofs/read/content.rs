//! A file's bytes out of an EROFS image that is there, with its holes.
//! It keeps one buffer; every place is checked before it is read.
//! Rules: the kernel's `fs/erofs/data.c`.

use super::Reader;
use super::inode::{Body, Place};
use crate::image::bytes::u32_at;
use crate::image::erofs::format::NO_BLOCK;
use crate::image::tree::{Content, Piece};
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

/// Bytes that are read at once.
const BUFFER: u64 = 256 << 10;
/// Entries of a table of chunks that are read at once.
const ENTRIES: u64 = 1024;

/// A file that is read from some place on.
#[derive(Debug)]
pub(in crate::image) struct FileContent<'a, D> {
    image: &'a Reader<D>,
    body: Body,
    at: u64,
    buffer: Vec<u8>,
    /// A part of the table of chunks, and the number of its first.
    table: Vec<u8>,
    table_from: u64,
}

/// Bytes that lie together: where, or nowhere.
struct Run {
    place: Option<u64>,
    length: u64,
}

impl<'a, D: ReadAt> FileContent<'a, D> {
    pub(super) fn new(image: &'a Reader<D>, body: Body, at: u64) -> Self {
        Self { image, body, at, buffer: Vec::new(), table: Vec::new(), table_from: 0 }
    }

    fn run(&mut self) -> io::Result<Run> {
        let (at, size) = (self.at, self.body.size);
        match self.body.place {
            Place::Stretch(first) => Ok(Run { place: Some(first + at), length: size - at }),
            Place::Split { first, straight, .. } if at < straight => {
                Ok(Run { place: Some(first + at), length: straight - at })
            }
            Place::Split { straight, tail, .. } => Ok(Run { place: Some(tail + (at - straight)), length: size - at }),
            Place::Chunks { table, entry, bits } => self.chunks(table, entry, bits),
        }
    }

    /// As many chunks as follow each other, in the image or in a hole.
    fn chunks(&mut self, table: u64, entry: u64, bits: u8) -> io::Result<Run> {
        let (chunk, size) = (1u64 << bits, self.body.size);
        let within = self.at & (chunk - 1);
        let first = self.chunk(table, entry, self.at >> bits)?;
        let mut end = (self.at - within).saturating_add(chunk).min(size);
        while end < size && (first.is_none() || end - self.at < BUFFER) {
            let next = self.chunk(table, entry, end >> bits)?;
            if next != first.map(|place| place + (end - (self.at - within))) {
                break;
            }
            end = end.saturating_add(chunk).min(size);
        }
        Ok(Run { place: first.map(|place| place + within), length: end - self.at })
    }

    /// Where a chunk is; nowhere if it is a hole.
    fn chunk(&mut self, table: u64, entry: u64, index: u64) -> io::Result<Option<u64>> {
        let held = self.table.len() as u64 / entry;
        if !(self.table_from..self.table_from + held).contains(&index) {
            let Place::Chunks { bits, .. } = self.body.place else { return Ok(None) };
            let count = (((self.body.size - 1) >> bits) + 1 - index).min(ENTRIES);
            self.table.resize((count * entry) as usize, 0);
            self.image.bytes.fill(&mut self.table, table + index * entry)?;
            self.table_from = index;
        }
        let at = ((index - self.table_from) * entry) as usize;
        let (device, block) = match entry {
            4 => (0, u32_at(&self.table, at)),
            _ => (u32_at(&self.table, at) >> 16, u32_at(&self.table, at + 4)),
        };
        if device != 0 && block != NO_BLOCK {
            return Err(bad("a part of a file is in another image"));
        }
        Ok((block != NO_BLOCK).then(|| u64::from(block) << self.image.sb.block_bits))
    }
}

impl<D: ReadAt> Content for FileContent<'_, D> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        if self.at >= self.body.size {
            return Ok(None);
        }
        let Run { place, length } = self.run()?;
        let Some(place) = place else {
            self.at += length;
            return Ok(Some(Piece::Hole(length)));
        };
        let length = length.min(BUFFER);
        self.image.bytes.check(place, length)?;
        self.image.bytes.spend(length)?;
        self.buffer.resize(length as usize, 0);
        self.image.bytes.fill(&mut self.buffer, place)?;
        self.at += length;
        Ok(Some(Piece::Data(&self.buffer)))
    }
}
