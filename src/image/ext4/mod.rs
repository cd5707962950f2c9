//! The writer of ext4 images: one pass, the same bytes on every machine, a file system like any other when mounted.
//! It makes no indexes of directories and no checksums of metadata; the kernel mounts it read-write and may grow it.
//! Layout: the kernel's Documentation/filesystems/ext4. Features are those that every kernel since 4.0 writes.
//!
//! Files' blocks come as they arrive, each followed by what belongs to it; a group's inode table follows as soon as it
//! is full (`flex_bg` lets it lie anywhere); directories, the journal, the other tables and the bitmaps come last.

mod area;
mod dirents;
mod extents;
mod finish;
mod geometry;
mod inode;
pub(in crate::image) mod read;
mod superblock;
mod xattr;

use super::blocks::{BlockStream, Hashing, WriteAt};
use super::identity::Seed;
use super::limits::{check_link, wrong_size};
use super::tree::{Content, Directory, InodeId, Meta, Piece, Special, Time, TreeWriter};
use crate::verity::build::BLOCK;
use area::Area;
use geometry::{DESCRIPTORS, GROUP, Geometry, INODES};
use inode::{Body, Inode};
use std::io;
use std::ops::Range;
use superblock::FIRST_INODE;

/// The layout's version: the same tree and options give the same bytes as long as it is the same.
pub const LAYOUT_VERSION: u32 = 1;
const BLOCK_SIZE: u64 = BLOCK as u64;
/// Descriptor blocks that are kept where the size is not known: for 128 GiB.
const DESCRIPTOR_BLOCKS: u64 = 8;
/// One inode for every so many bytes, as mke2fs has it.
const BYTES_PER_INODE: u64 = 16_384;
/// Links shorter than this stand in the inode.
const SHORT: usize = 60;

/// How large the file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As large as what is in it.
    Exact,
    /// So many bytes, rounded down to blocks; what is not needed is free.
    Bytes(u64),
}

/// Whether there is a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// None.
    None,
    /// 4 MiB to 1 GiB, by the size of the file system, as mke2fs has it; none in one below 32 MiB.
    BySize,
    /// The same, and 4 MiB in a small one: for what is written to and may lose power.
    Always,
}

/// Bytes of the journal that a file system of so many bytes always has.
pub fn journal_bytes(size: u64) -> u64 {
    finish::journal_always(size / BLOCK_SIZE) * BLOCK_SIZE
}

/// How an image is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where its UUID and the seed of its directories' indexes come from.
    pub seed: Seed,
    /// How large it is.
    pub size: Size,
    /// Whether there is a journal.
    pub journal: Journal,
    /// The time of `lost+found` and of the journal.
    pub epoch: Time,
}

/// A finished image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its size in bytes.
    pub size: u64,
    /// How many inodes are used, the file system's own not counted.
    pub inodes: u64,
}

/// A writer of one image.
#[derive(Debug)]
pub struct Writer<F: WriteAt> {
    options: Options,
    area: Area<F>,
    taken: Vec<Taken>,
}

/// An inode that was taken.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Its type in directory entries.
    kind: u8,
    /// Its blocks, with nobody else's between them.
    begin: u32,
    end: u32,
}

/// What the writers of files know of one before it is an inode.
struct File<'a> {
    meta: &'a Meta,
    /// The types of `st_mode` and of directory entries.
    kind: (u16, u8),
    size: u64,
    links: u32,
    /// Where its blocks begin, how many there are, and what says where.
    first: u64,
    blocks: u64,
    body: Body,
}

/// A file on its way: stretches of its blocks that are there, between holes.
struct Filling<'a, F: WriteAt> {
    area: &'a mut Area<F>,
    size: u64,
    at: u64,
    begun: usize,
    runs: Vec<Range<u64>>,
    run_begin: u64,
}

impl<F: WriteAt> Writer<F> {
    /// A writer into an empty file.
    pub fn new(file: F, options: Options) -> io::Result<Self> {
        let blocks = match options.size {
            Size::Exact => DESCRIPTOR_BLOCKS * DESCRIPTORS * GROUP,
            Size::Bytes(bytes) => bytes / BLOCK_SIZE,
        };
        let per_group = (GROUP * BLOCK_SIZE / BYTES_PER_INODE) as u32;
        let geometry = Geometry {
            descriptor_blocks: blocks.div_ceil(GROUP).div_ceil(DESCRIPTORS).max(1),
            inodes_per_group: per_group.next_multiple_of(INODES),
        };
        let mut area = Area::new(BlockStream::new(file, Hashing::Nothing)?, geometry);
        // The file system's own inodes are filled in at the end.
        (0..FIRST_INODE).try_for_each(|_| area.inode(&[0; inode::SIZE]))?;
        Ok(Self { options, area, taken: Vec::new() })
    }

    /// Takes an inode whose bytes are in place.
    fn take(&mut self, file: &File<'_>) -> io::Result<InodeId> {
        let id = u32::try_from(self.taken.len()).map_err(io::Error::other)?;
        let encoded = self.encode(file)?;
        let block = |block| u32::try_from(block).map_err(|_| extents::too_large());
        let (begin, end) = (block(file.first)?, block(self.area.stream.position())?);
        self.taken.push(Taken { kind: file.kind.1, begin, end });
        self.area.inode(&encoded)?;
        Ok(InodeId(id))
    }

    fn encode(&mut self, file: &File<'_>) -> io::Result<[u8; inode::SIZE]> {
        let File { meta, kind, size, links, blocks, body, .. } = file;
        let laid = xattr::lay_out(&meta.xattrs, inode::SIZE - inode::XATTRS_AT)?;
        let xattr_block = laid.block.map(|block| self.area.block(&block)).transpose()?.unwrap_or(0);
        let blocks = blocks + u64::from(xattr_block > 0);
        let xattr_block = u32::try_from(xattr_block).map_err(|_| extents::too_large())?;
        let (kind, size, links, xattrs) = (kind.0, *size, *links, &*laid.inside);
        Inode { kind, meta, size, links, blocks, body, xattrs, xattr_block }.encode()
    }

    /// The extent tree of these stretches, whose blocks begin here, and how many blocks both take.
    fn extents(&mut self, runs: &[Range<u64>], first: u64) -> io::Result<(Body, u64)> {
        let mut blocks = runs.iter().map(|run| run.end - run.start).sum();
        let pieces = self.area.geometry.pieces(first, blocks);
        let root = extents::tree(&extents::extents(runs, &pieces), |block| {
            blocks += 1;
            self.area.block(block)
        })?;
        Ok((Body::Extents(root), blocks))
    }
}

impl<F: WriteAt> TreeWriter for Writer<F> {
    type Finished = Finished;

    fn file(&mut self, meta: &Meta, size: u64, content: &mut dyn Content) -> io::Result<InodeId> {
        let first = self.area.position()?;
        let area = &mut self.area;
        let mut filling = Filling { area, size, at: 0, begun: 0, runs: Vec::new(), run_begin: 0 };
        while let Some(piece) = content.next_piece()? {
            match piece {
                Piece::Data(bytes) => filling.data(bytes)?,
                Piece::Hole(size) => filling.hole(size)?,
            }
        }
        let runs = filling.end()?;
        let (body, blocks) = self.extents(&runs, first)?;
        self.take(&File { meta, kind: REGULAR, size, links: 1, first, blocks, body })
    }

    fn special(&mut self, meta: &Meta, special: &Special) -> io::Result<InodeId> {
        let (kind, body) = match special {
            Special::Symlink(target) => return self.link(meta, target),
            Special::Character(device) => (CHARACTER, Body::Device(*device)),
            Special::Block(device) => (BLOCK_DEVICE, Body::Device(*device)),
            Special::Fifo => (FIFO, Body::Nothing),
            Special::Socket => (SOCKET, Body::Nothing),
        };
        let first = self.area.position()?;
        self.take(&File { meta, kind, size: 0, links: 1, first, blocks: 0, body })
    }

    fn finish(self, root: &Directory) -> io::Result<Finished> {
        finish::finish(self, root)
    }
}

/// The types of `st_mode` and of directory entries (inode(7), the kernel's fs_types.h).
const REGULAR: (u16, u8) = (0o100_000, 1);
const DIRECTORY: (u16, u8) = (0o040_000, 2);
const CHARACTER: (u16, u8) = (0o020_000, 3);
const BLOCK_DEVICE: (u16, u8) = (0o060_000, 4);
const FIFO: (u16, u8) = (0o010_000, 5);
const SOCKET: (u16, u8) = (0o140_000, 6);
const SYMLINK: (u16, u8) = (0o120_000, 7);

impl<F: WriteAt> Writer<F> {
    fn link(&mut self, meta: &Meta, target: &[u8]) -> io::Result<InodeId> {
        check_link(target)?;
        let size = target.len() as u64;
        let first = self.area.position()?;
        let (body, blocks) = if target.len() < SHORT {
            (Body::Target(target.to_vec()), 0)
        } else {
            let mut block = [0; BLOCK];
            block[..target.len()].copy_from_slice(target);
            self.area.block(&block)?;
            let run = 0..1;
            self.extents(&[run], first)?
        };
        self.take(&File { meta, kind: SYMLINK, size, links: 1, first, blocks, body })
    }
}

impl<F: WriteAt> Filling<'_, F> {
    fn end_of(&self, more: u64) -> io::Result<u64> {
        let end = self.at.checked_add(more).filter(|end| *end <= self.size);
        end.ok_or_else(|| wrong_size("goes on behind", self.size))
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.end_of(bytes.len() as u64)?;
        self.area.write(bytes, &mut self.begun)?;
        self.at = end;
        Ok(())
    }

    /// Leaves out the whole blocks of a hole; its edges are zeros.
    fn hole(&mut self, size: u64) -> io::Result<()> {
        let end = self.end_of(size)?;
        let from = self.at.next_multiple_of(BLOCK_SIZE);
        let to = if end == self.size { end.next_multiple_of(BLOCK_SIZE) } else { end / BLOCK_SIZE * BLOCK_SIZE };
        if from < to {
            self.area.zeros(from - self.at, &mut self.begun)?;
            self.close_run(from / BLOCK_SIZE);
            self.run_begin = to / BLOCK_SIZE;
            self.at = to.min(self.size);
        }
        self.area.zeros(end - self.at, &mut self.begun)?;
        self.at = end;
        Ok(())
    }

    fn close_run(&mut self, end: u64) {
        if self.run_begin < end {
            self.runs.push(self.run_begin..end);
        }
    }

    fn end(mut self) -> io::Result<Vec<Range<u64>>> {
        if self.at != self.size {
            return Err(wrong_size("ends before", self.size));
        }
        self.area.stream.pad()?;
        self.close_run(self.size.div_ceil(BLOCK_SIZE));
        Ok(self.runs)
    }
}
