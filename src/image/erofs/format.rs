//! EROFS on disk: the superblock, inodes in both sizes, file types.
//! It decides on no layout and writes nowhere.
//! Rules: the kernel's `fs/erofs/erofs_fs.h` and Documentation/filesystems/erofs; what Linux 6.1 reads already.

use crate::image::bytes::{Fields as _, crc32c};
use crate::image::identity::Uuid;
use crate::image::tree::{Meta, Time};
use crate::verity::build::BLOCK;
use std::io;

/// Where the superblock lies in block 0.
pub(super) const SUPER_AT: usize = 1024;
/// Where the root's inode lies in block 0: behind the superblock. Inodes are numbered by their place, in 32 bytes.
pub(super) const ROOT_AT: usize = SUPER_AT + 128;
/// What inodes' places are multiples of.
pub(super) const SLOT: usize = 32;
/// "No block": of files that have none, and of holes.
pub(super) const NO_BLOCK: u32 = !0;
pub(super) const MAGIC: u32 = 0xe0f5_e1e2;
const CHECKSUM_AND_MTIME: u32 = 1 | 2;
pub(super) const CHUNKED_FILE: u32 = 4;

/// What the superblock says.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    pub(super) inodes: u64,
    pub(super) epoch: Time,
    pub(super) blocks: u32,
    pub(super) shared_xattrs: u32,
    pub(super) uuid: Uuid,
    pub(super) chunked: Chunked,
}

/// Whether any file is laid out in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    Some,
    None,
}

impl Superblock {
    /// Puts it into block 0, with the checksum over all of the block that follows.
    pub(super) fn put(&self, block: &mut [u8; BLOCK]) {
        let sb = &mut block[SUPER_AT..];
        sb.put_u32(0, MAGIC);
        sb.put_u32(8, CHECKSUM_AND_MTIME);
        sb[12] = BLOCK.ilog2() as u8;
        sb.put_u16(14, (ROOT_AT / SLOT) as u16);
        sb.put_u64(16, self.inodes);
        sb.put_i64(24, self.epoch.seconds);
        sb.put_u32(32, self.epoch.nanoseconds);
        sb.put_u32(36, self.blocks);
        // The metadata area begins at block 0, so an inode's number is its place in the image.
        sb.put_u32(44, self.shared_xattrs);
        sb.put(48, &self.uuid.0);
        sb.put_u32(80, if self.chunked == Chunked::Some { CHUNKED_FILE } else { 0 });
        sb.put_u32(4, 0);
        let sum = crc32c(!0, sb);
        sb.put_u32(4, sum);
    }
}

/// The kinds of inodes: the file type of `st_mode` and of directory entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Directory,
    Character,
    Block,
    Fifo,
    Socket,
    Symlink,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Regular, Self::Directory, Self::Character, Self::Block, Self::Fifo, Self::Socket, Self::Symlink];

    /// The kind that the upper four bits of `st_mode` say.
    pub(super) fn of_mode(mode: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.mode() == mode & 0o170_000)
    }

    /// The upper four bits of `st_mode` (inode(7)).
    fn mode(self) -> u16 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Character => 0o020_000,
            Self::Block => 0o060_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::Symlink => 0o120_000,
        }
    }

    /// The type in a directory entry (`FT_…` of the kernel's fs_types.h).
    pub(super) fn entry_type(self) -> u8 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::Character => 3,
            Self::Block => 4,
            Self::Fifo => 5,
            Self::Socket => 6,
            Self::Symlink => 7,
        }
    }
}

/// Where an inode's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// In whole blocks from this one.
    Plain(u32),
    /// In whole blocks from this one, the last piece behind the inode.
    Inline(u32),
    /// In chunks of this many blocks (a power of two), whose addresses are behind the inode.
    Chunks(u8),
    /// Nowhere: it is a device with this number, or a pipe or a socket with none.
    Device(u32),
}

/// How much room an inode takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// 32 bytes: small numbers, and the superblock's time.
    Compact,
    /// 64 bytes.
    Extended,
}

impl Form {
    /// The smallest that holds this. A file in chunks is never compact, so that a compact one can always be moved.
    pub(super) fn of(meta: &Meta, size: u64, links: u32, layout: Layout, epoch: Time) -> Self {
        let small = meta.uid <= 0xffff && meta.gid <= 0xffff && links <= 0xffff && size <= u64::from(u32::MAX);
        if small && meta.mtime == epoch && !matches!(layout, Layout::Chunks(_)) {
            Self::Compact
        } else {
            Self::Extended
        }
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::Compact => 32,
            Self::Extended => 64,
        }
    }
}

/// An inode, to be written.
#[derive(Clone, Debug)]
pub(super) struct Inode<'a> {
    pub(super) form: Form,
    pub(super) kind: Kind,
    pub(super) meta: &'a Meta,
    pub(super) size: u64,
    pub(super) links: u32,
    pub(super) layout: Layout,
    /// The number of its own that 32-bit programs see.
    pub(super) number: u32,
    /// The field for its extended attributes' room.
    pub(super) xattr_count: u16,
}

impl Inode<'_> {
    /// Adds it to a record.
    pub(super) fn append(&self, record: &mut Vec<u8>) {
        let at = record.len();
        record.resize(at + self.form.size(), 0);
        let inode = &mut record[at..];
        let (layout, place) = match self.layout {
            Layout::Plain(block) => (0, block),
            Layout::Inline(block) => (2, block),
            Layout::Chunks(bits) => (4, u32::from(bits)),
            Layout::Device(number) => (0, number),
        };
        inode.put_u16(0, layout << 1 | u16::from(self.form == Form::Extended));
        inode.put_u16(2, self.xattr_count);
        inode.put_u16(4, self.kind.mode() | self.meta.mode.0 & 0o7777);
        inode.put_u32(16, place);
        inode.put_u32(20, self.number);
        match self.form {
            Form::Compact => {
                inode.put_u32(8, self.size as u32);
                inode.put_u16(24, self.meta.uid as u16);
                inode.put_u16(26, self.meta.gid as u16);
            }
            Form::Extended => {
                inode.put_u64(8, self.size);
                inode.put_u32(24, self.meta.uid);
                inode.put_u32(28, self.meta.gid);
                inode.put_i64(32, self.meta.mtime.seconds);
                inode.put_u32(40, self.meta.mtime.nanoseconds);
            }
        }
        set_links(inode, self.links);
    }
}

/// The form of an inode that was written.
pub(super) fn form_of(inode: &[u8]) -> Form {
    if inode[0] & 1 == 1 { Form::Extended } else { Form::Compact }
}

/// Puts the number of links into an inode that was written; a compact one holds 65,535.
pub(super) fn set_links(inode: &mut [u8], links: u32) {
    match form_of(inode) {
        Form::Compact => inode.put_u16(6, links as u16),
        Form::Extended => inode.put_u32(44, links),
    }
}

/// An inode that was written in compact form, with what is behind it, in extended form and with its own time.
pub(super) fn extended(compact: &[u8], epoch: Time) -> Vec<u8> {
    let mut record = vec![0; 64];
    record.put(0, &compact[..6]);
    record[0] |= 1;
    record.put(8, &compact[8..12]);
    record.put(16, &compact[16..24]);
    record.put(24, &compact[24..26]);
    record.put(28, &compact[26..28]);
    record.put_i64(32, epoch.seconds);
    record.put_u32(40, epoch.nanoseconds);
    record.extend_from_slice(&compact[32..]);
    record
}

/// A block's number, which has 32 bits.
pub(super) fn address(block: u64) -> io::Result<u32> {
    let fits = u32::try_from(block).ok().filter(|block| *block != NO_BLOCK);
    fits.ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "an EROFS image holds no more than 16 TiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tree::Mode;

    const EPOCH: Time = Time { seconds: 1000, nanoseconds: 5 };

    fn meta() -> Meta {
        Meta { mode: Mode(0o4755), uid: 65535, gid: 7, mtime: EPOCH, xattrs: Vec::new() }
    }

    #[test]
    fn compact_is_what_fits_without_loss() {
        let layout = Layout::Plain(1);
        let form = |meta: &Meta, size, links, layout| Form::of(meta, size, links, layout, EPOCH);
        assert_eq!(form(&meta(), u64::from(u32::MAX), 65535, layout), Form::Compact);
        assert_eq!(form(&meta(), 1 << 32, 1, layout), Form::Extended);
        assert_eq!(form(&meta(), 1, 65536, layout), Form::Extended);
        assert_eq!(form(&meta(), 1, 1, Layout::Chunks(0)), Form::Extended);
        assert_eq!(form(&Meta { uid: 65536, ..meta() }, 1, 1, layout), Form::Extended);
        assert_eq!(form(&Meta { gid: 65536, ..meta() }, 1, 1, layout), Form::Extended);
        let later = Time { nanoseconds: 6, ..EPOCH };
        assert_eq!(form(&Meta { mtime: later, ..meta() }, 1, 1, layout), Form::Extended);
    }

    #[test]
    fn a_compact_inode_made_extended_says_the_same() {
        let mut inode = Inode {
            form: Form::Compact,
            kind: Kind::Regular,
            meta: &meta(),
            size: 5000,
            links: 1,
            layout: Layout::Inline(9),
            number: 3,
            xattr_count: 2,
        };
        let (mut compact, mut wanted) = (Vec::new(), Vec::new());
        inode.append(&mut compact);
        compact.extend_from_slice(b"what is behind");
        inode.form = Form::Extended;
        inode.links = 70_000;
        inode.append(&mut wanted);
        wanted.extend_from_slice(b"what is behind");
        let mut made = extended(&compact, EPOCH);
        set_links(&mut made, 70_000);
        assert_eq!(made, wanted);
    }

    #[test]
    fn addresses_end_before_the_one_that_says_none() {
        assert_eq!(address(u64::from(u32::MAX) - 1).ok(), Some(u32::MAX - 1));
        assert!(address(u64::from(u32::MAX)).is_err());
    }
}
