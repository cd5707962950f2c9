//! A file's bytes on their way into blocks: as one stretch, or in chunks where there are holes.
//! It keeps no more of a file than its last piece; what a source gives is checked against what it announced.
//! Rules: the kernel's Documentation/filesystems/erofs, "inode data layout"; chunks without an index of devices.

use super::format::{Layout, NO_BLOCK, address};
use crate::image::blocks::{BlockStream, WriteAt};
use crate::image::limits::wrong_size;
use crate::image::tree::{Content, Piece};
use crate::verity::build::BLOCK;
use sha2::{Digest, Sha256};
use std::io;
use std::ops::Range;

const BLOCK_SIZE: u64 = BLOCK as u64;
/// A file has no more chunks than this: 4 MiB of addresses.
const CHUNKS_MAX: u64 = 1 << 20;
/// Chunks are widened no further than to 2^18 blocks, a gigabyte, unless the file is larger than that allows.
const WIDEST: u8 = 18;

/// Where the last piece of a file goes, if it fills no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Behind the inode.
    Inline,
    /// Into a block of its own.
    Block,
}

/// A file's bytes, laid out.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) layout: Layout,
    /// What stands behind the inode: the tail or the chunks' addresses.
    pub(super) behind: Vec<u8>,
    /// The first of its blocks, and how many there are.
    pub(super) first: u64,
    pub(super) blocks: u64,
    /// The digest of its bytes; none if it was not asked for, or of a file with holes.
    pub(super) digest: Option<[u8; 32]>,
}

/// A file on its way.
struct Filling<'a, F: WriteAt> {
    stream: &'a mut BlockStream<F>,
    size: u64,
    /// Bytes that go straight to the stream; the rest is kept.
    straight: u64,
    at: u64,
    tail: Vec<u8>,
    chunk_bits: u8,
    /// Stretches of blocks with data, between holes; the last is open.
    runs: Vec<Range<u64>>,
    run_begin: u64,
    holes: u64,
    digest: Option<Sha256>,
}

/// Writes a file's bytes.
pub(super) fn store<F: WriteAt>(
    stream: &mut BlockStream<F>,
    size: u64,
    tail: Tail,
    digest: Option<Sha256>,
    content: &mut dyn Content,
) -> io::Result<Stored> {
    let first = stream.position();
    let straight = if tail == Tail::Inline { size / BLOCK_SIZE * BLOCK_SIZE } else { size };
    let chunk_bits = chunk_bits(size);
    let (runs, tail, run_begin) = (Vec::new(), Vec::new(), 0);
    let mut filling = Filling { stream, size, straight, at: 0, tail, chunk_bits, runs, run_begin, holes: 0, digest };
    while let Some(piece) = content.next_piece()? {
        match piece {
            Piece::Data(bytes) => filling.data(bytes)?,
            Piece::Hole(size) => filling.hole(size)?,
        }
    }
    if filling.at != size {
        return Err(wrong_size("ends before", size));
    }
    if filling.holes > 0 { filling.into_chunks(first) } else { filling.into_stretch(first) }
}

impl<F: WriteAt> Filling<'_, F> {
    fn end_of(&self, more: u64) -> io::Result<u64> {
        let end = self.at.checked_add(more).filter(|end| *end <= self.size);
        end.ok_or_else(|| wrong_size("goes on behind", self.size))
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.end_of(bytes.len() as u64)?;
        let straight = self.straight.saturating_sub(self.at).min(bytes.len() as u64) as usize;
        self.stream.write(&bytes[..straight])?;
        self.tail.extend_from_slice(&bytes[straight..]);
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        self.at = end;
        Ok(())
    }

    /// Leaves out the whole chunks of a hole; its edges are zeros.
    fn hole(&mut self, size: u64) -> io::Result<()> {
        self.digest = None;
        let chunk = BLOCK_SIZE << self.chunk_bits;
        let end = self.end_of(size)?;
        let from = self.at.next_multiple_of(chunk);
        let to = if end == self.size { end.next_multiple_of(chunk) } else { end / chunk * chunk };
        if self.size <= BLOCK_SIZE || from >= to {
            return self.zeros(end);
        }
        self.zeros(from)?;
        self.close_run(from / BLOCK_SIZE);
        self.run_begin = to / BLOCK_SIZE;
        self.holes += 1;
        self.at = to.min(self.size);
        self.zeros(end)
    }

    /// Zeros up to a place.
    fn zeros(&mut self, end: u64) -> io::Result<()> {
        let straight = self.straight.min(end).saturating_sub(self.at);
        self.stream.zeros(straight)?;
        let kept = (end - self.at - straight) as usize;
        self.tail.resize(self.tail.len() + kept, 0);
        self.at = end;
        Ok(())
    }

    fn close_run(&mut self, end: u64) {
        if self.run_begin < end {
            self.runs.push(self.run_begin..end);
        }
    }

    fn into_stretch(self, first: u64) -> io::Result<Stored> {
        self.stream.pad()?;
        let blocks = self.straight.div_ceil(BLOCK_SIZE);
        let begin = if blocks == 0 { NO_BLOCK } else { address(first)? };
        address(first + blocks)?;
        let layout = if self.tail.is_empty() { Layout::Plain(begin) } else { Layout::Inline(begin) };
        let digest = self.digest.map(|digest| digest.finalize().into());
        Ok(Stored { layout, behind: self.tail, first, blocks, digest })
    }

    fn into_chunks(mut self, first: u64) -> io::Result<Stored> {
        self.stream.write(&self.tail)?;
        self.stream.pad()?;
        let end = self.size.div_ceil(BLOCK_SIZE);
        self.close_run(end);
        let blocks = self.runs.iter().map(|run| run.end - run.start).sum();
        address(first + blocks)?;
        let bits = widened(&self.runs, end, self.chunk_bits);
        let behind = chunk_addresses(&self.runs, end, bits, first)?;
        Ok(Stored { layout: Layout::Chunks(bits), behind, first, blocks, digest: None })
    }
}

/// The smallest chunks, as a power of two of blocks, of which a file of this size has not too many.
fn chunk_bits(size: u64) -> u8 {
    (size.div_ceil(BLOCK_SIZE).div_ceil(CHUNKS_MAX)).next_power_of_two().ilog2() as u8
}

/// The largest chunks that these runs of blocks begin and end with.
fn widened(runs: &[Range<u64>], end: u64, bits: u8) -> u8 {
    let edges = runs.iter().flat_map(|run| [run.start, if run.end == end { 0 } else { run.end }]);
    edges.map(|edge| edge.trailing_zeros() as u8).fold(WIDEST, u8::min).max(bits)
}

fn chunk_addresses(runs: &[Range<u64>], end: u64, bits: u8, first: u64) -> io::Result<Vec<u8>> {
    let mut addresses = vec![0xff; usize::try_from(end.div_ceil(1 << bits)).map_err(io::Error::other)? * 4];
    let mut begin = first;
    for run in runs {
        for chunk in run.start >> bits..run.end.div_ceil(1 << bits) {
            let at = chunk as usize * 4;
            let block = address(begin + ((chunk << bits) - run.start))?;
            addresses[at..at + 4].copy_from_slice(&block.to_le_bytes());
        }
        begin += run.end - run.start;
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::blocks::{Hashing, tests::Memory};

    /// Pieces, as bytes of a value or as holes.
    struct Given(Vec<(Option<u8>, usize)>, Vec<u8>);

    impl Content for Given {
        fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
            let Some((value, size)) = (!self.0.is_empty()).then(|| self.0.remove(0)) else { return Ok(None) };
            let Some(value) = value else { return Ok(Some(Piece::Hole(size as u64))) };
            self.1 = vec![value; size];
            Ok(Some(Piece::Data(&self.1)))
        }
    }

    fn stored(size: u64, tail: Tail, pieces: &[(Option<u8>, usize)]) -> io::Result<(Stored, Vec<u8>)> {
        let file = Memory::default();
        let mut stream = BlockStream::new(file.clone(), Hashing::Nothing)?;
        let stored = store(&mut stream, size, tail, Some(Sha256::new()), &mut Given(pieces.to_vec(), Vec::new()))?;
        stream.settle()?;
        Ok((stored, file.take()))
    }

    #[test]
    fn a_file_is_one_stretch_with_its_tail_where_it_was_said() {
        let (inline, bytes) = stored(5000, Tail::Inline, &[(Some(1), 4000), (Some(2), 1000)]).expect("stored");
        assert_eq!((inline.layout, inline.blocks, bytes.len()), (Layout::Inline(0), 1, BLOCK));
        assert_eq!(inline.behind, [2; 904]);
        let (plain, bytes) =
            stored(5000, Tail::Block, &[(Some(1), 4000), (None, 500), (Some(2), 500)]).expect("stored");
        assert_eq!((plain.layout, plain.blocks, plain.behind.len()), (Layout::Plain(0), 2, 0));
        assert_eq!(bytes, [vec![1; 4000], vec![0; 500], vec![2; 500], vec![0; 3192]].concat());
        assert_eq!((inline.digest.is_some(), plain.digest.is_some()), (true, false));
        let (empty, bytes) = stored(0, Tail::Block, &[]).expect("stored");
        assert_eq!((empty.layout, bytes.len()), (Layout::Plain(NO_BLOCK), 0));
    }

    #[test]
    fn holes_take_no_blocks_and_chunks_are_as_wide_as_can_be() {
        let (half, bytes) =
            stored(10 * 4096 + 5, Tail::Inline, &[(Some(1), 8192), (None, 8192 * 3), (Some(2), 8197)]).expect("stored");
        assert_eq!((half.layout, half.blocks, bytes.len()), (Layout::Chunks(1), 5, 5 * BLOCK));
        let addresses = |list: &[u32]| list.iter().flat_map(|block| block.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(half.behind, addresses(&[0, !0, !0, !0, 2, 4]));
        let (edges, bytes) =
            stored(4096 * 3, Tail::Block, &[(Some(1), 1), (None, 4096 + 4095), (Some(1), 4096)]).expect("stored");
        assert_eq!((edges.layout, bytes.len()), (Layout::Chunks(0), 2 * BLOCK));
        assert_eq!(edges.behind, addresses(&[0, !0, 1]));
        let (all, bytes) = stored(1 << 40, Tail::Block, &[(None, 1 << 40)]).expect("stored");
        assert_eq!((all.layout, all.behind.len(), bytes.len()), (Layout::Chunks(18), 1024 * 4, 0));
        let (to_end, _) = stored(9000, Tail::Inline, &[(Some(1), 8192), (None, 808)]).expect("stored");
        assert_eq!((to_end.layout, to_end.behind), (Layout::Chunks(1), addresses(&[0, !0])));
    }

    #[test]
    fn large_files_have_large_chunks() {
        assert_eq!([0, 1, 1 << 32, (1 << 32) + 1, 1 << 40, u64::MAX].map(chunk_bits), [0, 0, 0, 1, 8, 32]);
    }

    #[test]
    fn a_source_that_gives_more_or_less_is_refused() {
        for pieces in [&[(Some(1), 99)][..], &[(Some(1), 101)], &[(Some(1), 50), (None, 51)], &[]] {
            assert!(stored(100, Tail::Inline, pieces).is_err(), "{pieces:?}");
        }
    }
}
