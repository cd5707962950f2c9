//! Images read again by our readers, and compared with what they were made of.

use super::model::{EPOCH, Model, Part, What, byte_at};
use super::mounted::run;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use veneer::image::read::{self, Reader, Tree};
use veneer::image::tree::{Content as _, Directory, Entry, InodeId, Piece, Special};
use veneer::layer::limits::Limits;

/// Bytes as something that is read at offsets.
pub struct Bytes(Vec<u8>);

impl veneer::verity::tree::ReadAt for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.0[..].read_at(buffer, offset)
    }
}

pub fn reader(bytes: Vec<u8>) -> std::io::Result<Reader<Bytes>> {
    let size = bytes.len() as u64;
    Reader::open(Bytes(bytes), size, Limits { total_size: 1 << 26, ..Limits::default() })
}

/// A file's bytes and how many of them are holes.
pub fn bytes_of(reader: &Reader<Bytes>, body: read::Body) -> std::io::Result<(Vec<u8>, u64)> {
    let (mut content, mut all, mut holes) = (reader.content(body), Vec::new(), 0);
    while let Some(piece) = content.next_piece()? {
        match piece {
            Piece::Data(bytes) => all.extend_from_slice(bytes),
            Piece::Hole(length) => {
                holes += length;
                // A hostile file's holes have no end.
                all.resize(all.len() + length.min(1 << 24) as usize, 0);
            }
        }
    }
    Ok((all, holes))
}

struct Comparison<'a> {
    reader: &'a Reader<Bytes>,
    tree: &'a Tree,
    model: &'a Model,
    /// The image's number of each inode of the model.
    seen: HashMap<u32, InodeId>,
}

impl Comparison<'_> {
    fn directory(&mut self, found: &Directory, wanted: &Directory) {
        assert_eq!(found.meta, wanted.meta);
        assert!(found.entries.keys().eq(wanted.entries.keys()));
        for (found, wanted) in found.entries.values().zip(wanted.entries.values()) {
            match (found, wanted) {
                (Entry::Directory(found), Entry::Directory(wanted)) => self.directory(found, wanted),
                (Entry::Inode(found), Entry::Inode(wanted)) => self.inode(*found, wanted.0),
                _ => panic!("{found:?} is not {wanted:?}"),
            }
        }
    }

    fn inode(&mut self, found: InodeId, wanted: u32) {
        if let Some(known) = self.seen.insert(wanted, found) {
            assert_eq!(known, found, "a hard link");
            return;
        }
        let inode = self.reader.inode(self.tree.inodes[found.0 as usize]).expect("read");
        let (meta, what) = &self.model.inodes[wanted as usize];
        assert_eq!(inode.meta, *meta);
        match (inode.what, what) {
            (read::What::Special(found), What::Special(wanted)) => assert_eq!(found, *wanted),
            (read::What::File(body), What::File(parts)) => {
                let (found, _) = bytes_of(self.reader, body).expect("read");
                assert!(found == expected(parts));
            }
            (found, wanted) => panic!("{found:?} is not {wanted:?}"),
        }
    }
}

fn expected(parts: &[Part]) -> Vec<u8> {
    let mut all = Vec::new();
    for part in parts {
        let at = all.len() as u64;
        match *part {
            Part::Data(value, size) => all.extend((at..at + size).map(|at| byte_at(value, at))),
            Part::Hole(size) => all.resize(all.len() + size as usize, 0),
        }
    }
    all
}

/// Compares an image with what it was written of; names of the root that the file system brings are left out.
pub fn compare(model: &Model, bytes: Vec<u8>, brought: &[&str]) {
    let reader = reader(bytes).expect("good image");
    assert_eq!(reader.epoch().expect("a time"), EPOCH);
    let mut tree = reader.tree().expect("good tree");
    brought.iter().for_each(|name| assert!(tree.root.entries.remove(name.as_bytes()).is_some()));
    let mut comparison = Comparison { reader: &reader, tree: &tree, model, seen: HashMap::new() };
    comparison.directory(&tree.root, &model.root);
    let named = (0..model.inodes.len() as u32).filter(|inode| model.links(*inode) > 0).count();
    assert_eq!((comparison.seen.len(), tree.inodes.len()), (named, named));
}

/// Reads all that can be read, of whatever it is.
pub fn read_all(bytes: Vec<u8>) -> std::io::Result<()> {
    let reader = reader(bytes)?;
    let tree = reader.tree()?;
    for number in &tree.inodes {
        if let read::What::File(body) = reader.inode(*number)?.what {
            bytes_of(&reader, body)?;
        }
    }
    Ok(())
}

/// Numbers that look random and are the same in each run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// A directory of the host with everything that `mkfs.erofs` takes from one.
pub fn source(path: &Path) {
    let dir = |name: &str| std::fs::create_dir(path.join(name)).expect("made");
    let file = |name: &str, size: usize| {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8 + 1).collect();
        std::fs::write(path.join(name), bytes).expect("written");
    };
    dir("etc");
    dir("many");
    (0..700).for_each(|index| file(&format!("many/a name that is not short {index}"), index % 7));
    for size in [0, 1, 4000, 4095, 4096, 4097, 70_000, 1 << 20] {
        file(&format!("etc/{size}"), size);
    }
    std::fs::hard_link(path.join("etc/4097"), path.join("etc/again")).expect("linked");
    std::os::unix::fs::symlink("../etc", path.join("link")).expect("linked");
    std::os::unix::fs::symlink("x".repeat(1000), path.join("long")).expect("linked");
    let sparse = File::create(path.join("sparse")).expect("created");
    sparse.set_len(3 << 20).expect("sized");
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"in the middle", 1 << 20).expect("written");
    run("mkfifo", &[path.join("fifo").as_os_str()]);
    if rustix::process::geteuid().is_root() {
        run("mknod", &[path.join("null").as_os_str(), OsStr::new("c"), OsStr::new("1"), OsStr::new("3")]);
        run("chown", &[OsStr::new("70000:65535"), path.join("etc/1").as_os_str()]);
    }
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(path.join("etc/4000"), "user.a", b"value", flags).expect("set");
    rustix::fs::setxattr(path.join("etc/4096"), "user.a", b"value", flags).expect("set");
    rustix::fs::setxattr(path.join("etc"), "user.b", &[3; 300], flags).expect("set");
}

/// Compares a directory of an image with one of the host.
pub fn same(reader: &Reader<Bytes>, tree: &Tree, found: &Directory, path: &Path, links: &mut BTreeMap<u64, InodeId>) {
    let names = std::fs::read_dir(path).expect("listed").map(|entry| entry.expect("listed").file_name());
    let mut names: Vec<_> = names.map(|name| name.as_bytes().to_vec()).collect();
    names.sort();
    let brought = |name: &[u8]| name == b"lost+found" && !names.iter().any(|wanted| wanted == name);
    let entries: Vec<_> = found.entries.iter().filter(|(name, _)| !brought(name)).collect();
    assert!(names.iter().map(Vec::as_slice).eq(entries.iter().map(|(name, _)| &***name)));
    for (name, entry) in entries {
        let path = path.join(OsStr::from_bytes(name));
        let there = std::fs::symlink_metadata(&path).expect("stat");
        let (meta, what) = match entry {
            Entry::Directory(below) => {
                same(reader, tree, below, &path, links);
                (below.meta.clone(), None)
            }
            Entry::Inode(id) => {
                assert_eq!(*links.entry(there.ino()).or_insert(*id), *id, "{path:?}");
                let inode = reader.inode(tree.inodes[id.0 as usize]).expect("read");
                (inode.meta, Some(inode.what))
            }
        };
        assert_eq!(u32::from(meta.mode.0), there.mode() & 0o7777, "{path:?}");
        assert_eq!((meta.uid, meta.gid, meta.mtime.seconds), (there.uid(), there.gid(), there.mtime()), "{path:?}");
        for xattr in &meta.xattrs {
            let mut value = vec![0; 1024];
            let size = rustix::fs::lgetxattr(&path, &*xattr.name, &mut value[..]).expect("attribute");
            assert_eq!(*xattr.value, value[..size]);
        }
        match what {
            None => assert!(there.is_dir()),
            Some(read::What::File(body)) => {
                let (bytes, _) = bytes_of(reader, body).expect("read");
                assert!(bytes == std::fs::read(&path).expect("read"), "{path:?}");
            }
            Some(read::What::Special(Special::Symlink(target))) => {
                assert_eq!(*target, *std::fs::read_link(&path).expect("link").as_os_str().as_bytes());
            }
            Some(read::What::Special(Special::Fifo)) => assert!(there.file_type().is_fifo()),
            Some(read::What::Special(Special::Character(device))) => {
                assert_eq!((device.major, device.minor), (1, 3), "{path:?}");
            }
            other => panic!("{path:?}: {other:?}"),
        }
    }
}
