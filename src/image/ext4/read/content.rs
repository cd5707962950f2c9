//! A file's bytes out of an ext4 image that is there, with its holes.
//! It keeps one buffer and the last blocks of the file's map; every place is checked before it is read.
//! Rules: those of `extents` and `indirect`.

use super::inode::{Body, Map};
use super::{Nodes, Reader, Run, extents, indirect};
use crate::image::tree::{Content, Piece};
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::io;

/// Bytes that are read at once: whole blocks of every size.
const BUFFER: u64 = 256 << 10;

/// A file that is read from the beginning of one of its blocks on.
#[derive(Debug)]
pub(in crate::image) struct FileContent<'a, D> {
    image: &'a Reader<D>,
    body: Body,
    at: u64,
    buffer: Vec<u8>,
    nodes: Nodes,
    /// What is left of the blocks that were found last.
    run: Run,
}

impl<'a, D: ReadAt> FileContent<'a, D> {
    pub(super) fn new(image: &'a Reader<D>, body: Body, at: u64) -> Self {
        let run = Run { place: None, blocks: 0 };
        Self { image, body, at, buffer: Vec::new(), nodes: Nodes::default(), run }
    }

    /// The blocks at the place that is reached.
    fn find(&mut self) -> io::Result<Run> {
        let wanted = self.at >> self.image.sb.block_bits;
        if self.run.blocks == 0 {
            let nodes = &mut self.nodes;
            self.run = match &self.body.map {
                Map::Extents(root) => extents::find(self.image, root, nodes, wanted),
                Map::Indirect(root) => indirect::find(self.image, root, nodes, wanted),
            }?;
        }
        match self.run.blocks {
            0 => Err(bad("a file's map is not as it must be")),
            _ => Ok(self.run),
        }
    }

    /// Goes on by so many bytes, of the blocks that were found.
    fn pass(&mut self, bytes: u64) {
        let blocks = bytes.div_ceil(self.image.sb.block());
        self.at += bytes;
        self.run.blocks = self.run.blocks.saturating_sub(blocks);
        self.run.place = self.run.place.map(|place| place + blocks);
    }
}

impl<D: ReadAt> Content for FileContent<'_, D> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        if self.at >= self.body.size {
            return Ok(None);
        }
        let Run { place, blocks } = self.find()?;
        let length = blocks.saturating_mul(self.image.sb.block()).min(self.body.size - self.at);
        let Some(place) = place else {
            self.pass(length);
            return Ok(Some(Piece::Hole(length)));
        };
        let length = length.min(BUFFER);
        let at = place.saturating_mul(self.image.sb.block());
        self.image.bytes.check(at, length)?;
        self.image.bytes.spend(length)?;
        self.buffer.resize(length as usize, 0);
        self.image.bytes.fill(&mut self.buffer, at)?;
        self.pass(length);
        Ok(Some(Piece::Data(&self.buffer)))
    }
}
