//! A writer that keeps everything in memory, and layers from bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use veneer::image::tree::{Content, Directory, Entry, InodeId, Meta, Piece, Special, TreeWriter};
use veneer::layer::archive::ArchiveReader;
use veneer::layer::digest::{Digest, Expected};
use veneer::layer::entry::{Again, Layer, LayerReader};
use veneer::layer::limits::Limits;
use veneer::layer::pipeline::{Stream, Threads};
use veneer::layer::stream::{Blob, Meter};
use veneer::merge::{Boot, MountPoints, Request, Summary, merge};

/// A file's bytes above this are only counted.
const KEPT: u64 = 16 << 20;

#[allow(dead_code, reason = "for tests that want to see all")]
#[derive(Clone, Debug)]
pub enum Inode {
    File(Meta, u64, Vec<u8>),
    Special(Meta, Special),
}

#[derive(Default)]
pub struct Collector {
    pub inodes: Vec<Inode>,
    /// Each call, in order.
    pub calls: Vec<String>,
}

pub struct Collected {
    pub inodes: Vec<Inode>,
    pub root: Directory,
    pub calls: Vec<String>,
}

impl TreeWriter for Collector {
    type Finished = Collected;

    fn file(&mut self, meta: &Meta, size: u64, content: &mut dyn Content) -> io::Result<InodeId> {
        let (mut bytes, mut at) = (Vec::new(), 0);
        while let Some(piece) = content.next_piece()? {
            match piece {
                Piece::Data(data) => {
                    assert!(!data.is_empty(), "an empty piece");
                    at += data.len() as u64;
                    if at <= KEPT {
                        bytes.extend_from_slice(data);
                    }
                }
                Piece::Hole(length) => {
                    assert!(length > 0, "an empty hole");
                    at += length;
                    if at <= KEPT {
                        bytes.resize(at as usize, 0);
                    }
                }
            }
        }
        assert_eq!(at, size, "the pieces do not add up");
        self.calls.push(format!("file {size} {}", Digest::of(&bytes)));
        self.inodes.push(Inode::File(meta.clone(), size, bytes));
        Ok(InodeId(self.inodes.len() as u32 - 1))
    }

    fn special(&mut self, meta: &Meta, special: &Special) -> io::Result<InodeId> {
        self.calls.push(format!("special {special:?}"));
        self.inodes.push(Inode::Special(meta.clone(), special.clone()));
        Ok(InodeId(self.inodes.len() as u32 - 1))
    }

    fn finish(self, root: &Directory) -> io::Result<Collected> {
        Ok(Collected { inodes: self.inodes, root: root.clone(), calls: self.calls })
    }
}

impl Collected {
    /// All names with what they lead to, one a line; hard links show the first of their names.
    pub fn listing(&self) -> String {
        let (mut text, mut first) = (String::new(), BTreeMap::new());
        self.list("/", &self.root, &mut text, &mut first);
        text
    }

    /// The same with everything that an inode has.
    #[allow(dead_code, reason = "not for all who take this file")]
    pub fn full_listing(&self) -> String {
        let (mut text, mut first) = (String::new(), BTreeMap::new());
        self.list_with("/", &self.root, &mut text, &mut first, &|meta| format!("dir {meta:?}"), &|inode| match inode {
            Inode::File(meta, size, bytes) => format!("{meta:?} {size} {}", Digest::of(bytes)),
            Inode::Special(meta, special) => format!("{meta:?} {special:?}"),
        });
        text
    }

    fn list(&self, at: &str, directory: &Directory, text: &mut String, first: &mut BTreeMap<u32, String>) {
        self.list_with(at, directory, text, first, &dir_line, &inode_line);
    }

    fn list_with(
        &self,
        at: &str,
        directory: &Directory,
        text: &mut String,
        first: &mut BTreeMap<u32, String>,
        dir_line: &dyn Fn(&Meta) -> String,
        inode_line: &dyn Fn(&Inode) -> String,
    ) {
        writeln!(text, "{at} {}", dir_line(&directory.meta)).expect("text");
        for (name, entry) in &directory.entries {
            assert!(!name.is_empty() && name.len() <= 255 && !matches!(&**name, b"." | b".."), "{name:?}");
            assert!(!name.contains(&b'/') && !name.contains(&0), "{name:?}");
            let path = format!("{}/{}", at.trim_end_matches('/'), name.escape_ascii());
            match entry {
                Entry::Directory(below) => self.list_with(&path, below, text, first, dir_line, inode_line),
                Entry::Inode(id) => match first.get(&id.0) {
                    Some(other) => writeln!(text, "{path} = {other}").expect("text"),
                    None => {
                        writeln!(text, "{path} {}", inode_line(&self.inodes[id.0 as usize])).expect("text");
                        first.insert(id.0, path);
                    }
                },
            }
        }
    }
}

fn dir_line(meta: &Meta) -> String {
    format!("dir {:o}", meta.mode.0)
}

fn inode_line(inode: &Inode) -> String {
    match inode {
        Inode::File(_, size, bytes) if *size <= 40 => format!("file {}", bytes.escape_ascii()),
        Inode::File(_, size, _) => format!("file of {size}"),
        Inode::Special(_, Special::Symlink(target)) => format!("-> {}", target.escape_ascii()),
        Inode::Special(_, special) => format!("{special:?}"),
    }
}

/// An archive in memory as a layer.
#[derive(Clone)]
pub struct Bytes {
    pub bytes: Vec<u8>,
    pub stored: Expected,
    pub diff_id: Option<Digest>,
    pub limits: Limits,
    pub threads: Threads,
    pub again: Again,
}

impl Bytes {
    pub fn new(bytes: Vec<u8>) -> Self {
        let limits = Limits { total_size: 8 << 20, ..Limits::default() };
        Self {
            bytes,
            stored: Expected::default(),
            diff_id: None,
            limits,
            threads: Threads::One,
            again: Again::Possible,
        }
    }
}

impl Layer for Bytes {
    fn name(&self) -> String {
        "layer".into()
    }

    fn open(&self, limit: u64) -> io::Result<Box<dyn LayerReader + '_>> {
        let reader = Box::new(io::Cursor::new(self.bytes.clone()));
        let blob = Blob { reader, stored: self.stored.clone(), diff_id: self.diff_id.clone() };
        let stream = Stream::open(blob, limit, Meter::default(), self.threads)?;
        Ok(Box::new(ArchiveReader::new(stream, self.limits)))
    }

    fn again(&self) -> Again {
        self.again
    }
}

/// Merges layers, the topmost first.
pub fn merged(layers: &[Bytes]) -> Result<(Collected, Summary), String> {
    let limits = layers.first().map_or_else(Limits::default, |layer| layer.limits);
    let layers = layers.iter().map(|layer| layer as &dyn Layer).collect();
    let request = Request { layers, injected: None, mount_points: MountPoints::Left, boot: Boot::Left, limits };
    merge(&request, Collector::default(), &mut || ()).map_err(|error| error.to_string())
}

/// The listing of layers given as archives, the lowest first, as people think of them.
pub fn listed(layers: &[Vec<u8>]) -> Result<String, String> {
    let layers: Vec<Bytes> = layers.iter().rev().cloned().map(Bytes::new).collect();
    merged(&layers).map(|(collected, _)| collected.listing())
}
