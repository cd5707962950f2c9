//! Images that are there, read again: EROFS without compression, and ext4. One face for both, whoever made them.
//! It writes nothing and repairs nothing; an image that is not as it must be gives an error, never a part of itself.
//! The layouts are those of `image::erofs::read` and `image::ext4::read`.

pub(in crate::image) mod bounded;
pub(in crate::image) mod walk;

use super::limits::check_link;
use super::tree::{Content, Directory, Meta, Piece, Special, Time};
use super::{erofs, ext4};
use crate::layer::fault::{bad, shown};
use crate::layer::limits::{Limits, NAME_MAX, PATH_MAX};
use crate::verity::tree::ReadAt;
use bounded::Bounded;
use std::io;
use walk::{Numbered as _, Walk};

/// An inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode<B = Body> {
    /// Permissions, owner, time, extended attributes.
    pub meta: Meta,
    /// What it is.
    pub what: What<B>,
}

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<B = Body> {
    /// A directory, and where its names are.
    Directory(B),
    /// A regular file, and where its bytes are.
    File(B),
    /// Anything else.
    Special(Special),
}

impl<B> Inode<B> {
    fn map<C>(self, with: impl FnOnce(B) -> C) -> Inode<C> {
        let what = match self.what {
            What::Directory(body) => What::Directory(with(body)),
            What::File(body) => What::File(with(body)),
            What::Special(special) => What::Special(special),
        };
        Inode { meta: self.meta, what }
    }
}

/// Where a file's bytes are, in the image it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body(Place);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Erofs(erofs::read::Body),
    Ext4(ext4::read::Body),
}

impl Body {
    /// How many bytes there are, holes included.
    pub fn size(&self) -> u64 {
        match self.0 {
            Place::Erofs(body) => body.size(),
            Place::Ext4(body) => body.size,
        }
    }
}

/// All names of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The root.
    pub root: Directory,
    /// The image's own numbers of the inodes that are no directories, by those of the tree.
    pub inodes: Vec<u64>,
}

/// What an image is, as far as another is to be like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EROFS.
    Erofs,
    /// ext4.
    Ext4(Room),
}

impl Kind {
    /// Its name, as in `--format`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Ext4(_) => "ext4",
        }
    }
}

/// How large an ext4 file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All its bytes.
    pub size: u64,
    /// Those that nothing uses.
    pub free: u64,
    /// Whether it has a journal.
    pub journal: ext4::Journal,
}

/// An image that is read.
#[derive(Debug)]
pub struct Reader<D>(Layout<D>);

#[derive(Debug)]
enum Layout<D> {
    Erofs(erofs::read::Reader<D>),
    Ext4(ext4::read::Reader<D>),
}

impl<D: ReadAt> Reader<D> {
    /// Opens an image of so many bytes.
    pub fn open(data: D, size: u64, limits: Limits) -> io::Result<Self> {
        let bytes = Bounded::new(data, size, limits);
        if erofs::read::is_erofs(&bytes)? {
            return erofs::read::Reader::open(bytes).map(Layout::Erofs).map(Self);
        }
        if ext4::read::is_ext4(&bytes)? {
            return ext4::read::Reader::open(bytes).map(Layout::Ext4).map(Self);
        }
        Err(bad("it is neither an EROFS nor an ext4 image"))
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match &self.0 {
            Layout::Erofs(_) => Kind::Erofs,
            Layout::Ext4(image) => Kind::Ext4(image.room()),
        }
    }

    /// The time that the image keeps for itself.
    pub fn epoch(&self) -> io::Result<Time> {
        match &self.0 {
            Layout::Erofs(image) => Ok(image.epoch()),
            Layout::Ext4(image) => image.epoch(),
        }
    }

    /// An inode, by the image's number.
    pub fn inode(&self, number: u64) -> io::Result<Inode> {
        Ok(match &self.0 {
            Layout::Erofs(image) => image.inode(number)?.map(|body| Body(Place::Erofs(body))),
            Layout::Ext4(image) => image.inode(number)?.map(|body| Body(Place::Ext4(body))),
        })
    }

    /// A file's bytes; those of a file of another image are none.
    pub fn content(&self, body: Body) -> FileContent<'_, D> {
        self.content_from(body, 0)
    }

    /// A file's bytes at any place, as of a file of its own.
    pub fn file(&self, body: Body) -> InsideFile<'_, D> {
        InsideFile { image: self, body }
    }

    /// A file's bytes from the beginning of one of its blocks on.
    fn content_from(&self, body: Body, at: u64) -> FileContent<'_, D> {
        FileContent(match (&self.0, body.0) {
            (Layout::Erofs(image), Place::Erofs(body)) => Open::Erofs(image.content_from(body, at)),
            (Layout::Ext4(image), Place::Ext4(body)) => Open::Ext4(image.content_from(body, at)),
            _ => Open::Foreign,
        })
    }

    /// Reads all names.
    pub fn tree(&self) -> io::Result<Tree> {
        match &self.0 {
            Layout::Erofs(image) => Walk::new(image).run(),
            Layout::Ext4(image) => Walk::new(image).run(),
        }
    }
}

/// A file that is read from its beginning.
#[derive(Debug)]
pub struct FileContent<'a, D>(Open<'a, D>);

#[derive(Debug)]
enum Open<'a, D> {
    Erofs(erofs::read::FileContent<'a, D>),
    Ext4(ext4::read::FileContent<'a, D>),
    Foreign,
}

impl<D: ReadAt> Content for FileContent<'_, D> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        match &mut self.0 {
            Open::Erofs(content) => content.next_piece(),
            Open::Ext4(content) => content.next_piece(),
            Open::Foreign => Err(bad("the file is one of another image")),
        }
    }
}

/// A file in an image, read at any place.
#[derive(Debug)]
pub struct InsideFile<'a, D> {
    image: &'a Reader<D>,
    body: Body,
}

/// The largest block of any layout.
const BLOCK_MAX: u64 = 64 << 10;

impl<D: ReadAt> ReadAt for InsideFile<'_, D> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut at = offset / BLOCK_MAX * BLOCK_MAX;
        let mut content = self.image.content_from(self.body, at);
        let end = offset.saturating_add(buffer.len() as u64);
        while at < end {
            let piece = content.next_piece()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let length = match piece {
                Piece::Data(bytes) => bytes.len() as u64,
                Piece::Hole(length) => length,
            };
            let (from, to) = (at.max(offset), at.saturating_add(length).min(end));
            if from < to {
                let into = &mut buffer[(from - offset) as usize..(to - offset) as usize];
                match piece {
                    Piece::Data(bytes) => into.copy_from_slice(&bytes[(from - at) as usize..(to - at) as usize]),
                    Piece::Hole(_) => into.fill(0),
                }
            }
            at = at.saturating_add(length);
        }
        Ok(())
    }
}

/// Checks that a file can have this name.
pub(in crate::image) fn check_name(name: &[u8]) -> io::Result<&[u8]> {
    if name.is_empty() || name.len() > NAME_MAX || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
        return Err(bad(format!("a directory has the name {:?}, which no file can have", shown(name))));
    }
    Ok(name)
}

/// What a link says whose target is a file's bytes.
pub(in crate::image) fn link_target(size: u64, content: &mut dyn Content) -> io::Result<Box<[u8]>> {
    if size > PATH_MAX as u64 {
        return Err(bad(format!("a link has {size} bytes, {PATH_MAX} are possible")));
    }
    let mut target = Vec::new();
    while let Some(piece) = content.next_piece()? {
        match piece {
            Piece::Data(bytes) => target.extend_from_slice(bytes),
            Piece::Hole(_) => return Err(bad("a link has a hole")),
        }
    }
    check_link(&target).map_err(|error| bad(error.to_string()))?;
    Ok(target.into())
}
