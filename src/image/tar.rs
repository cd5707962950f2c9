//! An image's tree as a tar, for a program that takes one: sorted, each inode's bytes once, no holes.
//! It reads an image of ours and writes headers of pax(1); what a tar cannot hold is an error.
//! Fractions of seconds have nine digits, since `mkfs.erofs` takes their number as nanoseconds, however many there are.

use super::read::{Body, Inode, Reader, Tree, What};
use super::tree::{Content as _, Directory, Entry, Meta, Mode, Piece, Special};
use crate::layer::fault::{bad, shown};
use crate::verity::tree::ReadAt;
use std::collections::HashMap;
use std::io::{self, Write};

const BLOCK: usize = 512;
/// What the header's fields hold; anything more goes into a record.
const NAME_MAX: usize = 100;
const ID_MAX: u32 = 0o777_7777;
const NUMBER_MAX: u64 = 0o777_7777_7777;
/// Bytes of zeros written at once, for a hole.
const ZEROS: [u8; 8192] = [0; 8192];

/// Writes the tree of an image as a tar.
pub fn write<D: ReadAt>(reader: &Reader<D>, tree: &Tree, out: &mut dyn Write) -> io::Result<()> {
    let mut archive = Archive { reader, tree, out, known: HashMap::new() };
    let mut ahead = vec![(b"./".to_vec(), &tree.root)];
    while let Some((path, directory)) = ahead.pop() {
        archive.directory(&path, directory, &mut ahead)?;
    }
    archive.out.write_all(&[0; 2 * BLOCK])
}

/// The header of a plain file of root's, for an archive of a few that no tree holds.
pub fn file_header(name: &str, size: u64) -> io::Result<[u8; BLOCK]> {
    if name.len() > NAME_MAX || size > NUMBER_MAX {
        return Err(bad(format!("{name} is too large for a tar: {size} bytes")));
    }
    let meta = Meta { mode: Mode(0o644), ..Meta::default() };
    Ok(Head { kind: b'0', size, link: b"", device: (0, 0) }.block(name.as_bytes(), &meta))
}

struct Archive<'a, D> {
    reader: &'a Reader<D>,
    tree: &'a Tree,
    out: &'a mut dyn Write,
    /// The first name of each inode.
    known: HashMap<u32, Vec<u8>>,
}

impl<'a, D: ReadAt> Archive<'a, D> {
    fn directory(
        &mut self,
        path: &[u8],
        directory: &'a Directory,
        ahead: &mut Vec<(Vec<u8>, &'a Directory)>,
    ) -> io::Result<()> {
        self.header(path, &directory.meta, &Head { kind: b'5', size: 0, link: b"", device: (0, 0) })?;
        for (name, entry) in &directory.entries {
            let path = [path, name].concat();
            match entry {
                Entry::Directory(below) => ahead.push(([path, b"/".to_vec()].concat(), below)),
                Entry::Inode(id) => match self.known.get(&id.0).cloned() {
                    Some(first) => self.header(&path, &Meta::default(), &Head::link(b'1', &first))?,
                    None => {
                        let number = self.tree.inodes.get(id.0 as usize).ok_or_else(|| bad("a name leads nowhere"))?;
                        self.inode(&path, &self.reader.inode(*number)?)?;
                        self.known.insert(id.0, path);
                    }
                },
            }
        }
        Ok(())
    }

    fn inode(&mut self, path: &[u8], inode: &Inode) -> io::Result<()> {
        let device = |kind, device: &super::tree::Device| Head {
            kind,
            size: 0,
            link: b"",
            device: (device.major, device.minor),
        };
        let head = match &inode.what {
            What::Directory(_) => return Err(bad("a directory has two names")),
            What::File(body) => {
                let head = Head { kind: b'0', size: body.size(), link: b"", device: (0, 0) };
                self.header(path, &inode.meta, &head)?;
                return self.content(*body);
            }
            What::Special(Special::Symlink(target)) => Head::link(b'2', target),
            What::Special(Special::Character(number)) => device(b'3', number),
            What::Special(Special::Block(number)) => device(b'4', number),
            What::Special(Special::Fifo) => Head::link(b'6', b""),
            What::Special(Special::Socket) => {
                return Err(bad(format!("{} is a socket, which no tar can hold for mkfs.erofs", shown(path))));
            }
        };
        self.header(path, &inode.meta, &head)
    }

    fn content(&mut self, body: Body) -> io::Result<()> {
        let mut content = self.reader.content(body);
        while let Some(piece) = content.next_piece()? {
            match piece {
                Piece::Data(bytes) => self.out.write_all(bytes)?,
                Piece::Hole(mut left) => {
                    while left > 0 {
                        let now = left.min(ZEROS.len() as u64);
                        self.out.write_all(&ZEROS[..now as usize])?;
                        left -= now;
                    }
                }
            }
        }
        self.pad(body.size())
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = size as usize % BLOCK;
        if over == 0 { Ok(()) } else { self.out.write_all(&ZEROS[..BLOCK - over]) }
    }

    fn header(&mut self, path: &[u8], meta: &Meta, head: &Head<'_>) -> io::Result<()> {
        let records = records(path, meta, head);
        if !records.is_empty() {
            let size = records.len() as u64;
            let own = Head { kind: b'x', size, link: b"", device: (0, 0) };
            self.out.write_all(&own.block(b"pax", &Meta::default()))?;
            self.out.write_all(&records)?;
            self.pad(size)?;
        }
        self.out.write_all(&head.block(path, meta))
    }
}

/// What a header has besides name and metadata.
struct Head<'a> {
    kind: u8,
    size: u64,
    link: &'a [u8],
    device: (u32, u32),
}

impl<'a> Head<'a> {
    fn link(kind: u8, link: &'a [u8]) -> Self {
        Self { kind, size: 0, link, device: (0, 0) }
    }

    fn block(&self, path: &[u8], meta: &Meta) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &path[..path.len().min(NAME_MAX)]);
        put(100, format!("{:07o}", meta.mode.0).as_bytes());
        put(108, format!("{:07o}", meta.uid.min(ID_MAX)).as_bytes());
        put(116, format!("{:07o}", meta.gid.min(ID_MAX)).as_bytes());
        put(124, format!("{:011o}", self.size.min(NUMBER_MAX)).as_bytes());
        put(136, format!("{:011o}", seconds(meta).min(NUMBER_MAX)).as_bytes());
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(NAME_MAX)]);
        put(257, b"ustar\x0000");
        put(329, format!("{:07o}", self.device.0).as_bytes());
        put(337, format!("{:07o}", self.device.1).as_bytes());
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }
}

/// What `mkfs.erofs` reads wrongly if it is negative becomes 1970.
fn seconds(meta: &Meta) -> u64 {
    u64::try_from(meta.mtime.seconds).unwrap_or(0)
}

/// What does not fit into the header.
fn records(path: &[u8], meta: &Meta, head: &Head<'_>) -> Vec<u8> {
    let mut records = Vec::new();
    let mut say = |key: &[u8], value: &[u8]| records.extend(record(key, value));
    if path.len() > NAME_MAX {
        say(b"path", path);
    }
    if head.link.len() > NAME_MAX {
        say(b"linkpath", head.link);
    }
    if head.size > NUMBER_MAX {
        say(b"size", head.size.to_string().as_bytes());
    }
    for (key, id) in [(&b"uid"[..], meta.uid), (b"gid", meta.gid)] {
        if id > ID_MAX {
            say(key, id.to_string().as_bytes());
        }
    }
    let nanoseconds = if meta.mtime.seconds < 0 { 0 } else { meta.mtime.nanoseconds };
    if nanoseconds != 0 || seconds(meta) > NUMBER_MAX {
        say(b"mtime", format!("{}.{nanoseconds:09}", seconds(meta)).as_bytes());
    }
    for xattr in &meta.xattrs {
        say(&[b"SCHILY.xattr.", &*xattr.name].concat(), &xattr.value);
    }
    records
}

/// `LENGTH KEY=VALUE\n`; the length counts itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Time, Xattr};
    use super::*;

    #[test]
    fn records_count_themselves() {
        assert_eq!(record(b"a", b"b"), b"6 a=b\n");
        assert_eq!(record(b"a", &[b'x'; 4]), b"9 a=xxxx\n");
        assert_eq!(record(b"a", &[b'x'; 5]), b"11 a=xxxxx\n");
        assert_eq!(record(b"a", &[b'x'; 93]).len(), 99);
        assert_eq!(record(b"a", &[b'x'; 94]).len(), 101);
    }

    #[test]
    fn what_does_not_fit_a_header_stands_before_it() {
        let plain = Head { kind: b'0', size: 5, link: b"", device: (0, 0) };
        assert_eq!(records(b"./a", &Meta::default(), &plain), b"");
        let xattr = Xattr { name: (*b"user.a").into(), value: [0, b'\n', 0xff].into() };
        let mtime = Time { seconds: 7, nanoseconds: 12 };
        let meta = Meta { uid: 1 << 21, mtime, xattrs: vec![xattr], ..Meta::default() };
        let found = records(&[b'p'; 101], &meta, &Head::link(b'2', &[b'l'; 101]));
        let wanted = [
            record(b"path", &[b'p'; 101]),
            record(b"linkpath", &[b'l'; 101]),
            record(b"uid", b"2097152"),
            record(b"mtime", b"7.000000012"),
            record(b"SCHILY.xattr.user.a", &[0, b'\n', 0xff]),
        ];
        assert_eq!(found, wanted.concat());
        let before = Meta { mtime: Time { seconds: -1, nanoseconds: 5 }, ..Meta::default() };
        assert_eq!((records(b"./a", &before, &plain), seconds(&before)), (Vec::new(), 0));
    }
}
