//! A reader of ext4 images (ext2's and ext3's too): their inodes, names, and files' bytes.
//! It trusts nothing in them, replays no journal, and checks no checksum of metadata: what an image says is what is read.
//! Layout: the kernel's Documentation/filesystems/ext4. All names at once are `image::read`'s.

mod content;
mod dirents;
mod extents;
mod indirect;
mod inode;
mod superblock;
mod xattr;

use super::Journal;
use crate::image::bytes::u32_at;
use crate::image::read::bounded::Bounded;
use crate::image::read::walk::Numbered;
use crate::image::read::{Inode, Room, What};
use crate::image::tree::{Content as _, Piece, Time};
use crate::layer::fault::bad;
use crate::layer::limits::Limits;
use crate::verity::tree::ReadAt;
pub(in crate::image) use content::FileContent;
pub(in crate::image) use inode::Body;
use std::io;
use superblock::Superblock;
pub(in crate::image) use superblock::is_ext4;

const ROOT_INODE: u64 = 2;
/// `lost+found`, in every file system that mke2fs or we have made.
const LOST_INODE: u64 = 11;

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

    /// The time that the file system's own `lost+found` has; 1970 if there is none.
    pub(in crate::image) fn epoch(&self) -> io::Result<Time> {
        if LOST_INODE > self.sb.inodes || !inode::is_directory(self, LOST_INODE)? {
            return Ok(Time::default());
        }
        match self.inode(LOST_INODE)? {
            Inode { meta, what: What::Directory(_) } => Ok(meta.mtime),
            _ => Ok(Time::default()),
        }
    }

    pub(in crate::image) fn room(&self) -> Room {
        let journal = if self.sb.has_journal { Journal::BySize } else { Journal::None };
        let bytes = |blocks: u64| blocks.saturating_mul(self.sb.block());
        Room { size: bytes(self.sb.blocks), free: bytes(self.sb.free_blocks), journal }
    }

    pub(in crate::image) fn content(&self, body: Body) -> FileContent<'_, D> {
        self.content_from(body, 0)
    }

    pub(in crate::image) fn content_from(&self, body: Body, at: u64) -> FileContent<'_, D> {
        FileContent::new(self, body, at)
    }

    /// A whole block, counted.
    fn block(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; self.sb.block() as usize];
        self.bytes.fill(&mut block, number.saturating_mul(self.sb.block()))?;
        self.bytes.spend(block.len() as u64)?;
        Ok(block)
    }
}

impl<D: ReadAt> Numbered for Reader<D> {
    type Body = Body;

    fn root(&self) -> u64 {
        ROOT_INODE
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
        if body.size % self.sb.block() != 0 {
            return Err(bad("a directory ends within a block"));
        }
        let mut content = self.content(body);
        while let Some(piece) = content.next_piece()? {
            let Piece::Data(data) = piece else { return Err(bad("a directory has a hole")) };
            for block in data.chunks(self.sb.block() as usize) {
                for (name, number) in dirents::parse(block)? {
                    take(name, number)?;
                }
            }
        }
        Ok(())
    }

    fn table(&self, _body: Body) -> u64 {
        // Read block by block, each counted.
        0
    }
}

/// Where a file's blocks are, from one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The first of them; nothing if they are a hole.
    place: Option<u64>,
    /// How many follow each other, or are missing; never none.
    blocks: u64,
}

/// Blocks of a file's map that were read last, the one nearest to the inode first.
#[derive(Debug, Default)]
struct Nodes(Vec<(u64, Vec<u8>)>);

impl Nodes {
    /// The block of a level.
    fn block<D: ReadAt>(&mut self, image: &Reader<D>, level: usize, number: u64) -> io::Result<&[u8]> {
        if self.0.get(level).is_none_or(|(held, _)| *held != number) {
            self.0.truncate(level);
            let block = image.block(number)?;
            self.0.push((number, block));
        }
        self.0.get(level).map(|(_, block)| &**block).ok_or_else(|| bad("a file's map is not as it must be"))
    }
}

/// 64 bits in two halves that lie apart.
fn halves(bytes: &[u8], low: usize, high: usize) -> u64 {
    u64::from(u32_at(bytes, low)) | u64::from(u32_at(bytes, high)) << 32
}

/// The sixty bytes of an inode that say where its blocks are.
type Root = [u8; super::extents::ROOT];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_make_a_whole() {
        let bytes = [1u32, 0, 2].map(u32::to_le_bytes).concat();
        assert_eq!(halves(&bytes, 0, 8), 0x2_0000_0001);
    }
}
