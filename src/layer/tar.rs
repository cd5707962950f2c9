//! A tar archive, read as a stream: entry after entry, a file's bytes straight after it.
//! It looks at no name; long names, PAX headers and all kinds of sparse files are put together here.
//! Sources: pax(1) in POSIX, GNU tar's manual. Where an archive could be read in two ways, it is refused.

use super::fault::{bad, shown, within};
use super::header::{self, BLOCK, Header, More};
use super::input::Input;
use super::limits::{Limits, PATH_MAX};
use super::number;
use super::pax::Pax;
use super::sparse::{Run, SparseMap};
use super::tar_entry::{Before, GNU_SPARSE, TarEntry, assemble, has_data};
use crate::image::tree::{Content, Piece};
use std::io::{self, ErrorKind};

/// A tar archive that is being read.
#[derive(Debug)]
pub struct TarReader<I> {
    input: I,
    limits: Limits,
    data: Data,
}

/// What is left of the present entry.
#[derive(Debug, Default)]
struct Data {
    /// Bytes of it that the archive still has.
    stored: u64,
    /// Zeros behind these, up to the next block.
    padding: u64,
    /// Bytes that were lent out and must be gone before the next look.
    lent: usize,
    map: SparseMap,
    at: u64,
    hint: usize,
}

impl<I: Input> TarReader<I> {
    /// Begins at the first header.
    pub fn new(input: I, limits: Limits) -> Self {
        Self { input, limits, data: Data::default() }
    }

    /// The next entry; nothing behind the last one. What was not read of the present file is passed over.
    pub fn next_entry(&mut self) -> io::Result<Option<TarEntry>> {
        self.finish_data()?;
        let mut before = Before::default();
        while let Some(header) = self.next_header()? {
            match header.kind() {
                b'L' => self.long(&header, &mut before.name)?,
                b'K' => self.long(&header, &mut before.link)?,
                b'x' => self.pax(&header, &mut before)?,
                // What a header for all entries would say no container tool applies: `git archive` has a comment there.
                b'g' => drop(self.extension(&header)?),
                _ => return self.entry(&header, before).map(Some),
            }
            before.check()?;
        }
        if !before.is_empty() {
            return Err(bad("the archive ends behind a header that belongs to another one"));
        }
        Ok(None)
    }

    /// Where the bytes of the present file begin, for inputs that know.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Whether the present file is not in the archive as it is.
    pub fn is_sparse(&self) -> bool {
        self.data.map.size() != self.data.stored
    }

    /// The stream itself.
    pub fn input(&self) -> &I {
        &self.input
    }

    /// The stream itself, for what is behind the last entry.
    pub fn input_mut(&mut self) -> &mut I {
        &mut self.input
    }

    fn entry(&mut self, header: &Header, mut before: Before) -> io::Result<TarEntry> {
        let pax = before.pax.clone().unwrap_or_default();
        let named = pax.sparse.name.clone().or(pax.path.clone()).or(before.name.take());
        let path = named.unwrap_or_else(|| header.name());
        let begun = self.begin_data(header, &pax, &path);
        begun.and_then(|()| assemble(header, &mut before, path.clone(), self.data.map.size())).map_err(|error| {
            let named = error.to_string().starts_with(&shown(&path));
            if named { error } else { within(shown(&path), &error) }
        })
    }

    fn begin_data(&mut self, header: &Header, pax: &Pax, path: &[u8]) -> io::Result<()> {
        self.data = Data::default();
        if !has_data(header, path) {
            return Ok(());
        }
        let size = match pax.size {
            Some(size) => size,
            None => header.size()?,
        };
        let round = size.checked_next_multiple_of(BLOCK as u64).filter(|round| *round <= i64::MAX as u64);
        self.data.padding = round.ok_or_else(|| bad(format!("the size is {size}")))? - size;
        self.data.stored = size;
        self.data.map = self.sparse_map(header, pax)?;
        Ok(())
    }

    fn sparse_map(&mut self, header: &Header, pax: &Pax) -> io::Result<SparseMap> {
        let (pairs, size) = if header.kind() == GNU_SPARSE {
            self.gnu_map(header)?
        } else if pax.sparse.major == Some(1) && pax.sparse.minor == Some(0) {
            let size = pax.sparse.size.ok_or_else(|| bad("a sparse file without its size"))?;
            (self.map_before_data()?, size)
        } else if pax.sparse.major.is_some_and(|major| major > 0) {
            return Err(bad("a sparse file of an unknown version"));
        } else if let Some(map) = &pax.sparse.map {
            (map.clone(), pax.sparse.size.ok_or_else(|| bad("a sparse file without its size"))?)
        } else {
            (vec![(0, self.data.stored)], self.data.stored)
        };
        SparseMap::new(pairs, size, self.data.stored)
    }

    fn gnu_map(&mut self, header: &Header) -> io::Result<(Vec<(u64, u64)>, u64)> {
        let (mut pairs, mut more, size) = header.gnu_sparse()?;
        let mut blocks = 0;
        while more == More::Follows {
            blocks += 1;
            self.check_size("the sparse map", blocks * BLOCK as u64)?;
            let (next, after) = header::sparse_block(&self.block()?.ok_or_else(ends_early)?)?;
            pairs.extend(next);
            more = after;
        }
        Ok((pairs, size))
    }

    /// The map of sparse format 1.0: decimal numbers on lines of their own, filled up to a block.
    fn map_before_data(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let mut read = 0;
        let mut block = [0; BLOCK];
        let mut line = || -> io::Result<u64> {
            let mut digits = Vec::new();
            loop {
                if read % BLOCK == 0 {
                    self.check_size("the sparse map", read as u64)?;
                    let left = self.data.stored.checked_sub(BLOCK as u64);
                    self.data.stored = left.ok_or_else(|| bad("the sparse map is longer than the entry"))?;
                    block = self.block()?.ok_or_else(ends_early)?;
                }
                let byte = block[read % BLOCK];
                read += 1;
                if byte == b'\n' {
                    return number::decimal(&digits);
                }
                digits.push(byte);
            }
        };
        let count = line()?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push((line()?, line()?));
        }
        Ok(pairs)
    }

    fn long(&mut self, header: &Header, name: &mut Option<Vec<u8>>) -> io::Result<()> {
        let mut bytes = self.extension(header)?;
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        if bytes.len() > PATH_MAX {
            return Err(bad(format!("a long name has {} bytes, {PATH_MAX} are possible", bytes.len())));
        }
        match name.replace(bytes) {
            Some(_) => Err(bad("two long names for one entry")),
            None => Ok(()),
        }
    }

    fn pax(&mut self, header: &Header, before: &mut Before) -> io::Result<()> {
        let bytes = self.extension(header)?;
        match before.pax.replace(Pax::parse(&bytes)?) {
            Some(_) => Err(bad("two PAX headers for one entry")),
            None => Ok(()),
        }
    }

    /// What stands behind a header that is about another one.
    fn extension(&mut self, header: &Header) -> io::Result<Vec<u8>> {
        let size = header.size()?;
        self.check_size("a header", size)?;
        let mut bytes = vec![0; size.next_multiple_of(BLOCK as u64) as usize];
        self.input.read_exact(&mut bytes).map_err(or_ends_early)?;
        bytes.truncate(size as usize);
        Ok(bytes)
    }

    fn check_size(&self, what: &str, size: u64) -> io::Result<()> {
        match self.limits.header_size {
            limit if size > limit => Err(bad(format!("{what} has {size} bytes or more, the limit is {limit}"))),
            _ => Ok(()),
        }
    }

    /// The next header; nothing at the end, which two blocks of zeros mark, or nothing at all.
    fn next_header(&mut self) -> io::Result<Option<Header>> {
        let Some(block) = self.block()? else { return Ok(None) };
        if let Some(header) = Header::parse(&block)? {
            return Ok(Some(header));
        }
        match self.block()? {
            Some(second) if second != [0; BLOCK] => Err(bad("there is more behind a block of zeros")),
            _ => Ok(None),
        }
    }

    /// The next block; nothing if the archive ends before it.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block).map_err(or_ends_early)?;
        Ok(Some(block))
    }

    fn finish_data(&mut self) -> io::Result<()> {
        self.input.consume(std::mem::take(&mut self.data.lent));
        let left = std::mem::take(&mut self.data.stored) + std::mem::take(&mut self.data.padding);
        self.input.pass(left).map_err(or_ends_early)
    }
}

impl<I: Input> Content for TarReader<I> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.input.consume(std::mem::take(&mut self.data.lent));
        match self.data.map.run_at(self.data.at, &mut self.data.hint) {
            None => Ok(None),
            Some(Run::Hole(length)) => {
                self.data.at += length;
                Ok(Some(Piece::Hole(length)))
            }
            Some(Run::Data(length)) => {
                let bytes = self.input.fill_buf()?;
                if bytes.is_empty() {
                    return Err(ends_early());
                }
                let count = bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX));
                self.data.lent = count;
                self.data.at += count as u64;
                self.data.stored -= count as u64;
                Ok(Some(Piece::Data(&bytes[..count])))
            }
        }
    }
}

fn or_ends_early(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::UnexpectedEof { ends_early() } else { error }
}

fn ends_early() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the archive ends too early")
}
