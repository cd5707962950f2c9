//! The map of a sparse file: which of its bytes an archive holds.
//! It reads no archive; the maps come from headers, PAX values or the head of the data.
//! Source: GNU tar's manual, "Storing Sparse Files".

use super::fault::bad;
use std::io;

/// A checked map: pieces in order, apart, none empty, all within the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseMap {
    pieces: Vec<(u64, u64)>,
    size: u64,
}

impl SparseMap {
    /// Checks a map against the file's size and the bytes that the archive holds of it.
    pub fn new(pairs: Vec<(u64, u64)>, size: u64, stored: u64) -> io::Result<Self> {
        let (mut end, mut sum) = (0, 0);
        for (offset, length) in &pairs {
            let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= size);
            end = next.ok_or_else(|| bad("the sparse map is out of order, or leaves the file"))?;
            sum += length;
        }
        if sum != stored {
            return Err(bad(format!("the sparse map has {sum} bytes of data, the archive {stored}")));
        }
        let pieces = pairs.into_iter().filter(|(_, length)| *length > 0).collect();
        Ok(Self { pieces, size })
    }

    /// The file's size.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Holes and data from an offset on: the length of the next run, and which it is; nothing at the end.
    pub fn run_at(&self, at: u64, hint: &mut usize) -> Option<Run> {
        if at >= self.size {
            return None;
        }
        while self.pieces.get(*hint).is_some_and(|(offset, length)| offset + length <= at) {
            *hint += 1;
        }
        Some(match self.pieces.get(*hint) {
            Some((offset, _)) if *offset > at => Run::Hole(offset - at),
            Some((offset, length)) => Run::Data(offset + length - at),
            None => Run::Hole(self.size - at),
        })
    }
}

/// What comes next in a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Bytes that the archive holds.
    Data(u64),
    /// Bytes that are zero.
    Hole(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(map: &SparseMap) -> Vec<Run> {
        let (mut at, mut hint, mut runs) = (0, 0, Vec::new());
        while let Some(run) = map.run_at(at, &mut hint) {
            at += match run {
                Run::Data(length) | Run::Hole(length) => length,
            };
            runs.push(run);
        }
        runs
    }

    #[test]
    fn runs_cover_the_file_exactly() {
        let map = SparseMap::new(vec![(2, 3), (5, 1), (8, 0)], 10, 4).expect("good");
        assert_eq!(runs(&map), [Run::Hole(2), Run::Data(3), Run::Data(1), Run::Hole(4)]);
        assert_eq!(runs(&SparseMap::new(vec![(0, 4)], 4, 4).expect("good")), [Run::Data(4)]);
        assert_eq!(runs(&SparseMap::new(vec![], 4, 0).expect("good")), [Run::Hole(4)]);
        assert_eq!(runs(&SparseMap::new(vec![], 0, 0).expect("good")), []);
    }

    #[test]
    fn maps_that_lie_are_refused() {
        for (pairs, size, stored) in [
            (vec![(0, 2), (1, 2)], 9, 4),
            (vec![(4, 1), (0, 1)], 9, 2),
            (vec![(0, 10)], 9, 10),
            (vec![(u64::MAX, 1)], 9, 1),
            (vec![(0, 2)], 9, 3),
            (vec![(0, 2)], 9, 1),
        ] {
            assert!(SparseMap::new(pairs.clone(), size, stored).is_err(), "{pairs:?}");
        }
    }
}
