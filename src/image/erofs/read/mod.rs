//! A reader of EROFS images without compression, ours and those of `mkfs.erofs`: their inodes, names, and files' bytes.
//! It trusts nothing in them: no panic, no endless work, memory for names and none for bytes, whatever an image says.
//! Layout: the kernel's Documentation/filesystems/erofs and `fs/erofs`. All names at once are `image::read`'s.

mod content;
mod dirents;
mod inode;
mod superblock;
mod xattr;

use crate::image::read::Inode;
use crate::image::read::bounded::Bounded;
use crate::image::read::walk::Numbered;
use crate::image::tree::{Content as _, Piece, Time};
use crate::layer::fault::bad;
use crate::layer::limits::Limits;
use crate::verity::tree::ReadAt;
pub(in crate::image) use content::FileContent;
pub(in crate::image) use inode::Body;
use std::io;
use superblock::Superblock;
pub(in crate::image) use superblock::is_erofs;

/// An image that is read.
#[derive(Debug)]
pub(in crate::image) struct Reader<D> {
    bytes: Bounded<D>,
    sb: Superblock,
}

impl<D: ReadAt> Reader<D> {
    pub(in crate::image) fn open(bytes: Bounded<D>) -> io::Result<Self> {
        let sb = Superblock::read(&bytes)?;
        Ok(Self { bytes, sb })
    }

    /// The time that the image keeps for itself, and for what changed last at this time.
    pub(in crate::image) fn epoch(&self) -> Time {
        self.sb.epoch
    }

    pub(in crate::image) fn content(&self, body: Body) -> FileContent<'_, D> {
        self.content_from(body, 0)
    }

    pub(in crate::image) fn content_from(&self, body: Body, at: u64) -> FileContent<'_, D> {
        FileContent::new(self, body, at)
    }
}

impl<D: ReadAt> Numbered for Reader<D> {
    type Body = Body;

    fn root(&self) -> u64 {
        self.sb.root
    }

    fn size(&self) -> u64 {
        self.bytes.size
    }

    fn limits(&self) -> Limits {
        self.bytes.limits
    }

    fn inode(&self, number: u64) -> io::Result<Inode<Body>> {
        inode::read(self, number)
    }

    fn names(&self, body: Body, take: &mut dyn FnMut(&[u8], u64) -> io::Result<()>) -> io::Result<()> {
        // Of the blocks only the last may be short.
        let (block, mut bytes) = (1usize << self.sb.block_bits, Vec::new());
        let mut content = self.content(body);
        while let Some(piece) = content.next_piece()? {
            let Piece::Data(data) = piece else { return Err(bad("a directory has a hole")) };
            bytes.extend_from_slice(data);
            let whole = bytes.len() / block * block;
            bytes[..whole].chunks(block).try_for_each(|block| dirents::each(block, take))?;
            bytes.drain(..whole);
        }
        bytes.chunks(block).try_for_each(|block| dirents::each(block, take))
    }

    fn table(&self, body: Body) -> u64 {
        body.table()
    }
}
