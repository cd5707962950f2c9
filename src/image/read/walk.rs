//! The way through all names of an image, whatever its file system: each directory once, without recursion.
//! It reads no layout: the readers of the file systems give inodes by number, and names of directories.
//! What it holds against hostile images: circles, directories with two names, more names than there is room for.

use super::{Inode, Tree, What};
use crate::image::tree::{Directory, Entry, InodeId, Meta};
use crate::layer::fault::{bad, shown};
use crate::layer::limits::Limits;
use std::collections::{HashMap, HashSet};
use std::io;

/// A file system as it is gone through.
pub(in crate::image) trait Numbered {
    /// Where an inode's bytes are.
    type Body: Copy;

    /// The root's number.
    fn root(&self) -> u64;

    /// Bytes of the image.
    fn size(&self) -> u64;

    /// What is bounded.
    fn limits(&self) -> Limits;

    /// An inode, by its number.
    fn inode(&self, number: u64) -> io::Result<Inode<Self::Body>>;

    /// Gives a directory's names, but for its own two, with the numbers of their inodes.
    fn names(&self, body: Self::Body, take: &mut dyn FnMut(&[u8], u64) -> io::Result<()>) -> io::Result<()>;

    /// Bytes of the table of a file's pieces, which no two files share.
    fn table(&self, body: Self::Body) -> u64;
}

/// A directory whose names are being gone through.
struct Open {
    name: Box<[u8]>,
    meta: Meta,
    ahead: std::vec::IntoIter<(Box<[u8]>, u64)>,
    done: Vec<(Box<[u8]>, Entry)>,
}

/// The way through all directories, without recursion.
pub(super) struct Walk<'a, R> {
    image: &'a R,
    directories: HashSet<u64>,
    known: HashMap<u64, InodeId>,
    inodes: Vec<u64>,
    entries: u64,
    tables: u64,
    /// Bytes that stay in memory.
    kept: u64,
}

/// Bytes that an entry of a directory takes in an image, at least (12 in EROFS and in ext4).
const ENTRY_LEAST: u64 = 12;

impl<'a, R: Numbered> Walk<'a, R> {
    pub(super) fn new(image: &'a R) -> Self {
        let (directories, known) = (HashSet::new(), HashMap::new());
        Self { image, directories, known, inodes: Vec::new(), entries: 0, tables: 0, kept: 0 }
    }

    pub(super) fn run(mut self) -> io::Result<Tree> {
        let number = self.image.root();
        let root = self.image.inode(number)?;
        let What::Directory(body) = root.what else { return Err(bad("its root is no directory")) };
        let mut open = vec![self.opened(number, root.meta, body, [].into())?];
        loop {
            let top = open.last_mut().ok_or_else(|| bad("it has no root"))?;
            match top.ahead.next() {
                Some((name, number)) => {
                    if let Some(deeper) = self.entry(&mut top.done, name, number)? {
                        open.push(deeper);
                    }
                    if open.len() > self.image.limits().depth {
                        return Err(bad(format!("it is deeper than {} directories", self.image.limits().depth)));
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
            What::File(body) => {
                self.tables = self.tables.saturating_add(self.image.table(body));
                if self.tables > self.image.size() {
                    return Err(bad("several files share one table of chunks"));
                }
            }
            What::Special(_) => {}
        }
        let id = InodeId(u32::try_from(self.inodes.len()).map_err(|_| bad("it has too many inodes"))?);
        self.inodes.push(number);
        self.known.insert(number, id);
        done.push((name, Entry::Inode(id)));
        Ok(None)
    }

    fn opened(&mut self, number: u64, meta: Meta, body: R::Body, name: Box<[u8]>) -> io::Result<Open> {
        if !self.directories.insert(number) {
            return Err(bad(format!("two names lead to one directory, the second is {:?}", shown(&name))));
        }
        self.keep(meta.xattrs.iter().map(|xattr| (xattr.name.len() + xattr.value.len()) as u64).sum())?;
        // More than there is room for: directories that share their blocks.
        let most = self.image.limits().entries.min(self.image.size() / ENTRY_LEAST);
        let (image, mut names) = (self.image, Vec::new());
        image.names(body, &mut |name, number| {
            self.keep(name.len() as u64)?;
            names.push((name.into(), number));
            self.entries += 1;
            if self.entries > most { Err(bad(format!("it has more than {most} names"))) } else { Ok(()) }
        })?;
        names.sort_unstable();
        if names.windows(2).any(|pair: &[(Box<[u8]>, u64)]| pair[0].0 == pair[1].0) {
            return Err(bad(format!("a name is twice in the directory {:?}", shown(&name))));
        }
        Ok(Open { name, meta, ahead: names.into_iter(), done: Vec::new() })
    }

    fn keep(&mut self, bytes: u64) -> io::Result<()> {
        self.kept = self.kept.saturating_add(bytes);
        match self.kept > self.image.limits().names_size {
            true => Err(bad(format!("its names have more than {} bytes", self.image.limits().names_size))),
            false => Ok(()),
        }
    }
}
