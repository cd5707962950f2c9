//! The writer of EROFS images: uncompressed, one pass, memory for what is known of files and none for their bytes.
//! It compresses nothing (`mkfs.erofs` does) and touches no file but through its stream of blocks.
//! Layout: the kernel's Documentation/filesystems/erofs; every kernel since 6.1 reads what is written here.
//!
//! Block 0 has the superblock and the root's inode, whose number has 16 bits. Behind it come files' blocks as they arrive,
//! with blocks of inodes between them; then directories, the inodes that were left, and shared extended attributes.

mod data;
mod dirents;
mod finish;
mod format;
mod packing;
pub(in crate::image) mod read;
mod xattr;

use super::blocks::{BlockStream, Hashing, WriteAt};
use super::identity::{Purpose, Seed};
use super::limits::{check_link, device_number};
use super::tree::{Content, Directory, InodeId, Meta, Special, Time, TreeWriter};
use crate::verity::build::{BLOCK, Built, Leaves};
use data::{Stored, Tail};
use format::{Chunked, Form, Inode, Kind, Layout, NO_BLOCK, address};
use packing::{Packed, Packing, Place};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io;

/// The layout's version: the same tree and options give the same bytes as long as it is the same.
pub const LAYOUT_VERSION: u32 = 1;

/// What becomes of files with the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EqualFiles {
    /// Each has its own.
    #[default]
    Apart,
    /// They share their blocks. Costs a digest of every byte.
    Shared,
}

/// How an image is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where its UUID and salt come from.
    pub seed: Seed,
    /// The superblock's time. What changed last at this very time takes half the room; nothing else depends on it.
    pub epoch: Time,
    /// What becomes of files with the same bytes.
    pub equal: EqualFiles,
}

/// A finished image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its size in bytes.
    pub size: u64,
    /// How many inodes it has.
    pub inodes: u64,
    /// Its hash tree.
    pub tree: Built,
}

/// An inode that was taken.
#[derive(Clone, Copy, Debug)]
struct Taken {
    place: Place,
    kind: Kind,
}

/// Blocks of a file that another may share.
#[derive(Clone, Copy, Debug)]
struct Shareable {
    first: u64,
    blocks: u64,
}

/// A writer of one image.
#[derive(Debug)]
pub struct Writer<F: WriteAt> {
    options: Options,
    stream: BlockStream<F>,
    xattrs: xattr::SharedXattrs,
    packing: Packing,
    /// Where blocks of inodes are, by their number; those that are still open have no place yet.
    addresses: Vec<u32>,
    inodes: Vec<Taken>,
    shareable: HashMap<[u8; 32], Shareable>,
    chunked: Chunked,
}

impl<F: WriteAt> Writer<F> {
    /// A writer into an empty file.
    pub fn new(file: F, options: Options) -> io::Result<Self> {
        let leaves = Leaves::new(options.seed.bytes(Purpose::Salt));
        let mut stream = BlockStream::new(file, Hashing::Leaves(leaves))?;
        // The superblock's.
        stream.zeros(BLOCK as u64)?;
        Ok(Self {
            options,
            stream,
            xattrs: xattr::SharedXattrs::default(),
            packing: Packing::default(),
            addresses: Vec::new(),
            inodes: Vec::new(),
            shareable: HashMap::new(),
            chunked: Chunked::None,
        })
    }

    /// Takes an inode whose bytes are in place.
    fn take(&mut self, meta: &Meta, kind: Kind, size: u64, xattrs: Vec<u8>, stored: &Stored) -> io::Result<InodeId> {
        let number = u32::try_from(self.inodes.len() + 1).map_err(io::Error::other)?;
        let form = Form::of(meta, size, 1, stored.layout, self.options.epoch);
        let xattr_count = xattr::count_field(&xattrs)?;
        let inode = Inode { form, kind, meta, size, links: 1, layout: stored.layout, number, xattr_count };
        let mut record = Vec::with_capacity(form.size() + xattrs.len() + stored.behind.len());
        inode.append(&mut record);
        record.extend(xattrs);
        record.extend_from_slice(&stored.behind);
        let place = self.place(&record)?;
        self.inodes.push(Taken { place, kind });
        Ok(InodeId(number - 1))
    }

    fn place(&mut self, record: &[u8]) -> io::Result<Place> {
        if record.len() > BLOCK {
            let sequence = self.packing.take_sequence();
            self.write_at_sequence(sequence, record)?;
            return Ok(Place { sequence, slot: 0 });
        }
        let (place, given) = self.packing.place(record);
        if let Some(Packed { sequence, bytes, .. }) = given {
            self.write_at_sequence(sequence, &*bytes)?;
        }
        Ok(place)
    }

    fn write_at_sequence(&mut self, sequence: u32, bytes: &[u8]) -> io::Result<()> {
        let here = address(self.stream.position())?;
        self.set_address(sequence, here);
        self.stream.write(bytes)?;
        self.stream.pad()
    }

    fn set_address(&mut self, sequence: u32, address: u32) {
        let index = sequence as usize;
        if self.addresses.len() <= index {
            self.addresses.resize(index + 1, NO_BLOCK);
        }
        self.addresses[index] = address;
    }

    /// Has a file use the blocks of one with the same bytes, and takes its own back.
    fn share(&mut self, stored: &mut Stored) -> io::Result<()> {
        let Some(digest) = stored.digest.filter(|_| stored.blocks > 0) else { return Ok(()) };
        let own = Shareable { first: stored.first, blocks: stored.blocks };
        let known = *self.shareable.entry(digest).or_insert(own);
        if known.first == own.first {
            return Ok(());
        }
        // One that has its tail behind its inode does for no one who has it in a block.
        if known.blocks < own.blocks {
            self.shareable.insert(digest, own);
            return Ok(());
        }
        self.stream.rewind(own.first);
        let first = address(known.first)?;
        stored.layout = match stored.layout {
            Layout::Inline(_) => Layout::Inline(first),
            _ => Layout::Plain(first),
        };
        Ok(())
    }
}

impl<F: WriteAt> TreeWriter for Writer<F> {
    type Finished = Finished;

    fn file(&mut self, meta: &Meta, size: u64, content: &mut dyn Content) -> io::Result<InodeId> {
        let xattrs = self.xattrs.behind_inode(&meta.xattrs)?;
        let tail = tail_of(xattrs.len(), size);
        let digest = (self.options.equal == EqualFiles::Shared).then(Sha256::new);
        let mut stored = data::store(&mut self.stream, size, tail, digest, content)?;
        if matches!(stored.layout, Layout::Chunks(_)) {
            self.chunked = Chunked::Some;
        }
        self.share(&mut stored)?;
        self.take(meta, Kind::Regular, size, xattrs, &stored)
    }

    fn special(&mut self, meta: &Meta, special: &Special) -> io::Result<InodeId> {
        let device = |number| Layout::Device(number);
        let (kind, layout) = match special {
            Special::Symlink(target) => return self.link(meta, target),
            Special::Character(number) => (Kind::Character, device(device_number(*number)?)),
            Special::Block(number) => (Kind::Block, device(device_number(*number)?)),
            Special::Fifo => (Kind::Fifo, device(0)),
            Special::Socket => (Kind::Socket, device(0)),
        };
        let xattrs = self.xattrs.behind_inode(&meta.xattrs)?;
        let stored = Stored { layout, behind: Vec::new(), first: 0, blocks: 0, digest: None };
        self.take(meta, kind, 0, xattrs, &stored)
    }

    fn finish(self, root: &Directory) -> io::Result<Finished> {
        finish::finish(self, root)
    }
}

impl<F: WriteAt> Writer<F> {
    fn link(&mut self, meta: &Meta, target: &[u8]) -> io::Result<InodeId> {
        check_link(target)?;
        let size = target.len() as u64;
        let xattrs = self.xattrs.behind_inode(&meta.xattrs)?;
        let mut stored =
            Stored { layout: Layout::Inline(NO_BLOCK), behind: target.to_vec(), first: 0, blocks: 0, digest: None };
        if tail_of(xattrs.len(), size) == Tail::Block {
            stored.layout = Layout::Plain(address(self.stream.position())?);
            self.stream.write(&std::mem::take(&mut stored.behind))?;
            self.stream.pad()?;
        }
        self.take(meta, Kind::Symlink, size, xattrs, &stored)
    }
}

/// A last piece stands behind its inode if all of that fits a block, with room for a compact inode to become extended.
fn tail_of(xattrs: usize, size: u64) -> Tail {
    let tail = size as usize % BLOCK;
    if tail > 0 && Form::Extended.size() + xattrs + tail <= BLOCK { Tail::Inline } else { Tail::Block }
}
