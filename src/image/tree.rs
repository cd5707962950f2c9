//! A root file system on its way into an image: what is known of a file, and the one way in which a writer takes it.
//! It decides nothing about layers, and lays out no block.
//! Sources: inode(7), xattr(7), and what EROFS and ext4 can both carry.

use std::collections::BTreeMap;
use std::io;

/// Permissions and the set-id and sticky bits: the low twelve bits of `st_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mode(pub u16);

/// A time of last change; before 1970 the seconds are negative, the nanoseconds never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Whole seconds since 1970, rounded down.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
}

/// A device's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The one of its devices.
    pub minor: u32,
}

/// An extended attribute: full name (`security.capability`) and value, both bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xattr {
    /// The name with its prefix.
    pub name: Box<[u8]>,
    /// The value.
    pub value: Box<[u8]>,
}

/// What every inode has. Extended attributes are sorted by name, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Meta {
    /// Permissions.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last change.
    pub mtime: Time,
    /// Extended attributes.
    pub xattrs: Vec<Xattr>,
}

/// An inode that is neither a regular file nor a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// A symbolic link and what it says.
    Symlink(Box<[u8]>),
    /// A character device.
    Character(Device),
    /// A block device.
    Block(Device),
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
}

/// What comes next in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes; never empty.
    Data(&'a [u8]),
    /// So many zero bytes that need no room.
    Hole(u64),
}

/// A regular file's bytes, in order. The pieces' lengths add up to the size that was announced; a source that
/// ends too early or too late gives an error instead.
pub trait Content {
    /// The next piece; nothing at the end.
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>>;
}

/// An inode that a writer has taken: the writer's own number for it, valid for that writer alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(pub u32);

/// What a name in a directory leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory; it has this one name.
    Directory(Directory),
    /// Any other inode; several names with the same number are hard links.
    Inode(InodeId),
}

/// A directory: what is known of it, and its names in order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Its own inode.
    pub meta: Meta,
    /// Its names; never empty, `.`, `..`, over 255 bytes, or with `/` or a zero byte.
    pub entries: BTreeMap<Box<[u8]>, Entry>,
}

/// A writer of images. Inodes come in any order, each once, their bytes straight after; the tree of names comes last.
/// The same calls give the same bytes, always. An inode that no name leads to in the end may cost room, nothing else.
pub trait TreeWriter {
    /// What a finished image is.
    type Finished;

    /// Takes a regular file of `size` bytes.
    fn file(&mut self, meta: &Meta, size: u64, content: &mut dyn Content) -> io::Result<InodeId>;

    /// Takes a link, a device, a pipe or a socket.
    fn special(&mut self, meta: &Meta, special: &Special) -> io::Result<InodeId>;

    /// Takes the names and the directories, and ends the image.
    fn finish(self, root: &Directory) -> io::Result<Self::Finished>;
}
