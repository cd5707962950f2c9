//! What is asked to be in an image: an agent, files, links, directories; and the image as far as it is looked at.
//! It decides nothing: `decide` holds the one against the other.
//! The words are those of docs/inject.md.

use crate::image::manifest::Injected;
use crate::image::read::{self, Reader, Tree};
use crate::image::tree::{Content, Directory, InodeId, Meta, Mode, Piece};
use crate::layer::fault::shown;
use crate::layer::path::LayerPath;
use crate::verity::tree::ReadAt;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where an agent goes.
pub const AGENT: &[u8] = b"sbin/vm-agent";

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;

/// What is put at a name; `F` is a file, first as its path and then opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<F> {
    /// A file.
    File(F),
    /// A symbolic link that says this.
    Link(Box<[u8]>),
    /// A directory.
    Directory(Given),
}

/// Whether something was said of a directory besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Permissions or an owner, which one that is there must have.
    Said,
    /// Nothing: any directory that is there will do.
    Nothing,
}

/// One thing that is to be in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection<F> {
    /// Its name.
    pub target: LayerPath,
    /// What it is.
    pub what: What<F>,
    /// Permissions and owner; its time is 1970.
    pub meta: Meta,
    /// What it is for.
    pub purpose: Purpose,
}

/// What something is put in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be run: it is checked that it can.
    Agent,
    /// To let a virtual machine start: it takes the place of what is there.
    Boot,
    /// Whatever it may be.
    Other,
}

impl Injection<PathBuf> {
    /// An agent.
    pub fn agent(source: PathBuf) -> io::Result<Self> {
        let meta = Meta { mode: Mode(0o755), ..Meta::default() };
        Ok(Self { target: LayerPath::parse(AGENT)?, what: What::File(source), meta, purpose: Purpose::Agent })
    }
}

impl<F> Injection<F> {
    /// What a manifest says of it; a file is named by its digest.
    pub fn recorded(&self, digest: impl FnOnce(&F) -> String) -> Injected {
        let content = match &self.what {
            What::File(file) => digest(file),
            What::Link(target) => shown(target),
            What::Directory(Given::Said) => "directory".to_owned(),
            What::Directory(Given::Nothing) => "directory, if there is none".to_owned(),
        };
        let Meta { mode, uid, gid, .. } = self.meta;
        Injected { target: self.target.shown(), content, mode: format!("{:04o}", mode.0), uid, gid }
    }

    /// The same with its file as something else.
    pub fn try_map<G, E>(self, with: impl FnOnce(F) -> Result<G, E>) -> Result<Injection<G>, E> {
        let what = match self.what {
            What::File(file) => What::File(with(file)?),
            What::Link(target) => What::Link(target),
            What::Directory(given) => What::Directory(given),
        };
        Ok(Injection { target: self.target, what, meta: self.meta, purpose: self.purpose })
    }
}

/// Whether something else may lose its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replacing {
    /// No.
    #[default]
    Refused,
    /// Yes, if it is no directory.
    Allowed,
}

/// A file that is put into an image.
pub struct Bytes {
    /// Where it is from, for messages.
    pub shown: String,
    /// How many.
    pub size: u64,
    /// Their SHA-256.
    pub digest: [u8; 32],
    /// They.
    pub data: Box<dyn ReadAt>,
}

impl Bytes {
    /// Reads them once, for their digest.
    pub fn new(shown: String, size: u64, data: Box<dyn ReadAt>) -> io::Result<Self> {
        let digest = digest_of(&mut BytesContent { data: &*data, at: 0, size, buffer: Vec::new() })?;
        Ok(Self { shown, size, digest, data })
    }

    /// From their beginning.
    pub fn content(&self) -> impl Content + '_ {
        BytesContent { data: &*self.data, at: 0, size: self.size, buffer: Vec::new() }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytes").field("shown", &self.shown).field("size", &self.size).finish_non_exhaustive()
    }
}

struct BytesContent<'a> {
    data: &'a dyn ReadAt,
    at: u64,
    size: u64,
    buffer: Vec<u8>,
}

impl Content for BytesContent<'_> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        let count = usize::try_from(self.size - self.at).map_or(BUFFER, |left| left.min(BUFFER));
        self.buffer.resize(count, 0);
        self.data.read_at(&mut self.buffer, self.at)?;
        self.at += count as u64;
        Ok((count > 0).then_some(Piece::Data(&self.buffer)))
    }
}

fn digest_of(content: &mut dyn Content) -> io::Result<[u8; 32]> {
    let (mut digest, zeros) = (Sha256::new(), [0; 4096]);
    while let Some(piece) = content.next_piece()? {
        match piece {
            Piece::Data(bytes) => digest.update(bytes),
            Piece::Hole(mut length) => {
                while length > 0 {
                    let now = length.min(zeros.len() as u64);
                    digest.update(&zeros[..now as usize]);
                    length -= now;
                }
            }
        }
    }
    Ok(digest.finalize().into())
}

/// An image that is there, without its names.
#[derive(Debug)]
pub struct Image<D> {
    /// It.
    pub reader: Reader<D>,
    /// Its own numbers of inodes that are no directories, by those of its tree of names.
    pub inodes: Vec<u64>,
}

impl<D: ReadAt> Image<D> {
    /// Reads all names of an image, which come beside it.
    pub fn new(reader: Reader<D>) -> io::Result<(Self, Directory)> {
        let Tree { root, inodes } = reader.tree()?;
        Ok((Self { reader, inodes }, root))
    }

    /// An inode by the tree's number; none if the image has none of that number.
    pub(super) fn inode(&self, id: InodeId) -> io::Result<Option<read::Inode>> {
        let number = self.inodes.get(id.0 as usize);
        number.map(|number| self.reader.inode(*number)).transpose()
    }

    /// Whether a file has these bytes.
    pub(super) fn holds(&self, body: read::Body, bytes: &Bytes) -> io::Result<bool> {
        Ok(body.size() == bytes.size && digest_of(&mut self.reader.content(body))? == bytes.digest)
    }

    /// A file's first bytes.
    pub(super) fn beginning(&self, body: read::Body) -> io::Result<Vec<u8>> {
        match self.reader.content(body).next_piece()? {
            Some(Piece::Data(bytes)) => Ok(bytes.to_vec()),
            Some(Piece::Hole(_)) | None => Ok(Vec::new()),
        }
    }
}
