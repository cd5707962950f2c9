//! A reader of EROFS images without compression, ours and those of `mkfs.erofs`: their tree, and files' bytes.
//! It trusts nothing in them: no panic, no endless work, memory for names and none for bytes, whatever an image says.
//! Layout: the kernel's Documentation/filesystems/erofs and `fs/erofs`.

mod content;
mod dirents;
mod inode;
mod superblock;
mod xattr;

use super::super::tree::{Content as _, Directory, Entry, InodeId, Meta, Piece, Time};
use crate::layer::fault::{bad, shown};
use crate::layer::limits::Limits;
use crate::verity::tree::ReadAt;
pub use content::FileContent;
pub use inode::{Body, Inode, What};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io;
use superblock::Superblock;

/// An image that is read.
#[derive(Debug)]
pub struct Reader<D> {
    data: D,
    size: u64,
    sb: Superblock,
    limits: Limits,
    /// Bytes of files and attributes so far.
    spent: Cell<u64>,
}

/// All names of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The root.
    pub root: Directory,
    /// The image's own numbers of the inodes that are no directories, by those of the tree.
    pub inodes: Vec<u64>,
}

impl<D: ReadAt> Reader<D> {
    /// Opens an image of so many bytes.
    pub fn open(data: D, size: u64, limits: Limits) -> io::Result<Self> {
        let sb = Superblock::read(&data, size)?;
        Ok(Self { data, size, sb, limits, spent: Cell::new(0) })
    }

    /// The time that the image keeps for itself, and for what changed last at this time.
    pub fn epoch(&self) -> Time {
        self.sb.epoch
    }

    /// An inode, by the image's number.
    pub fn inode(&self, number: u64) -> io::Result<Inode> {
        inode::read(self, number)
    }

    /// A file's bytes.
    pub fn content(&self, body: Body) -> FileContent<'_, D> {
        FileContent::new(self, body)
    }

    /// Reads all names.
    pub fn tree(&self) -> io::Result<Tree> {
        Walk::new(self).run()
    }

    /// Checks that some bytes lie in the image.
    fn check(&self, at: u64, length: u64) -> io::Result<()> {
        let end = at.checked_add(length).filter(|end| *end <= self.size);
        end.map(drop).ok_or_else(|| bad("something lies outside of it"))
    }

    fn fill(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.check(at, buffer.len() as u64)?;
        self.data.read_at(buffer, at)
    }

    /// Counts bytes that were read: many files can say that they have the same.
    fn spend(&self, bytes: u64) -> io::Result<()> {
        let spent = self.spent.get().saturating_add(bytes);
        self.spent.set(spent);
        match spent > self.limits.total_size {
            true => Err(bad(format!("there are more than {} bytes in it", self.limits.total_size))),
            false => Ok(()),
        }
    }
}

/// A directory whose names are being gone through.
struct Open {
    name: Box<[u8]>,
    meta: Meta,
    ahead: std::vec::IntoIter<(Box<[u8]>, u64)>,
    done: Vec<(Box<[u8]>, Entry)>,
}

/// The way through all directories, without recursion.
struct Walk<'a, D> {
    image: &'a Reader<D>,
    directories: HashSet<u64>,
    known: HashMap<u64, InodeId>,
    inodes: Vec<u64>,
    entries: u64,
    tables: u64,
    /// Bytes that stay in memory.
    kept: u64,
}

/// Bytes that an entry of a directory takes in the image, at least.
const ENTRY_LEAST: u64 = 12;

impl<'a, D: ReadAt> Walk<'a, D> {
    fn new(image: &'a Reader<D>) -> Self {
        let (directories, known) = (HashSet::new(), HashMap::new());
        Self { image, directories, known, inodes: Vec::new(), entries: 0, tables: 0, kept: 0 }
    }

    fn run(mut self) -> io::Result<Tree> {
        let root = self.image.inode(self.image.sb.root)?;
        let What::Directory(body) = root.what else { return Err(bad("its root is no directory")) };
        let mut open = vec![self.opened(self.image.sb.root, root.meta, body, [].into())?];
        loop {
            let top = open.last_mut().ok_or_else(|| bad("it has no root"))?;
            match top.ahead.next() {
                Some((name, number)) => {
                    if let Some(deeper) = self.entry(&mut top.done, name, number)? {
                        open.push(deeper);
                    }
                    if open.len() > self.image.limits.depth {
                        return Err(bad(format!("it is deeper than {} directories", self.image.limits.depth)));
                    }
                }
                None => {
                    let Some(Open { name, meta, done, .. }) = open.pop() else { continue };
                    let directory = Directory { meta, entries: done.into_iter().collect() };
                    match open.last_mut() {
                        Some(parent) => parent.done.push((name, Entry::Directory(directory))),
                        None => return Ok(Tree { root: directory, inodes: self.inodes }),
                    }
                }
            }
        }
    }

    /// Takes a name; a directory comes back to be gone through.
    fn entry(&mut self, done: &mut Vec<(Box<[u8]>, Entry)>, name: Box<[u8]>, number: u64) -> io::Result<Option<Open>> {
        if let Some(id) = self.known.get(&number) {
            done.push((name, Entry::Inode(*id)));
            return Ok(None);
        }
        let Inode { meta, what } = self.image.inode(number)?;
        match what {
            What::Directory(body) => return self.opened(number, meta, body, name).map(Some),
            What::File(Body { size, place: inode::Place::Chunks { entry, bits, .. } }) => {
                self.tables = self.tables.saturating_add((((size - 1) >> bits) + 1).saturating_mul(entry));
                if self.tables > self.image.size {
                    return Err(bad("several files share one table of chunks"));
                }
            }
            What::File(_) | What::Special(_) => {}
        }
        let id = InodeId(u32::try_from(self.inodes.len()).map_err(|_| bad("it has too many inodes"))?);
        self.inodes.push(number);
        self.known.insert(number, id);
        done.push((name, Entry::Inode(id)));
        Ok(None)
    }

    fn opened(&mut self, number: u64, meta: Meta, body: Body, name: Box<[u8]>) -> io::Result<Open> {
        if !self.directories.insert(number) {
            return Err(bad(format!("two names lead to one directory, the second is {:?}", shown(&name))));
        }
        self.keep(meta.xattrs.iter().map(|xattr| (xattr.name.len() + xattr.value.len()) as u64).sum())?;
        let mut names = Vec::new();
        let (block, mut bytes) = (1usize << self.image.sb.block_bits, Vec::new());
        let mut content = self.image.content(body);
        while let Some(piece) = content.next_piece()? {
            let Piece::Data(data) = piece else { return Err(bad("a directory has a hole")) };
            bytes.extend_from_slice(data);
            let whole = bytes.len() / block * block;
            self.names(&bytes[..whole], &mut names)?;
            bytes.drain(..whole);
        }
        self.names(&bytes, &mut names)?;
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(bad(format!("a name is twice in the directory {:?}", shown(&name))));
        }
        Ok(Open { name, meta, ahead: names.into_iter(), done: Vec::new() })
    }

    /// Takes the names of some blocks, of which the last may be short.
    fn names(&mut self, blocks: &[u8], names: &mut Vec<(Box<[u8]>, u64)>) -> io::Result<()> {
        for block in blocks.chunks(1 << self.image.sb.block_bits) {
            for (name, number) in dirents::parse(block)? {
                self.keep(name.len() as u64)?;
                names.push((name.into(), number));
                self.entries += 1;
            }
        }
        // More than there is room for: directories that share their blocks.
        let most = self.image.limits.entries.min(self.image.size / ENTRY_LEAST);
        if self.entries > most { Err(bad(format!("it has more than {most} names"))) } else { Ok(()) }
    }

    fn keep(&mut self, bytes: u64) -> io::Result<()> {
        self.kept = self.kept.saturating_add(bytes);
        match self.kept > self.image.limits.names_size {
            true => Err(bad(format!("its names have more than {} bytes", self.image.limits.names_size))),
            false => Ok(()),
        }
    }
}
