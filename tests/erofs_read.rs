//! EROFS images read again: what the writer wrote, what `mkfs.erofs` made of a directory, and what nobody should make.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part, What, acl, any_model, byte_at, directory, meta, xattr};
use images::mounted::run;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use veneer::image::erofs::read::{self, Reader, Tree};
use veneer::image::erofs::{EqualFiles, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::tree::{Content as _, Device, Directory, Entry, InodeId, Meta, Piece, Special};
use veneer::layer::limits::Limits;

/// The image of a tree, as bytes.
fn image(model: &Model, equal: EqualFiles) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("image");
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("created");
    let writer = Writer::new(file, Options { seed: Seed([5; 32]), epoch: EPOCH, equal }).expect("writer");
    model.write(writer).expect("written");
    std::fs::read(path).expect("read")
}

/// Bytes as something that is read at offsets.
struct Bytes(Vec<u8>);

impl veneer::verity::tree::ReadAt for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.0[..].read_at(buffer, offset)
    }
}

fn reader(bytes: Vec<u8>) -> std::io::Result<Reader<Bytes>> {
    let size = bytes.len() as u64;
    Reader::open(Bytes(bytes), size, Limits { total_size: 1 << 26, ..Limits::default() })
}

/// A file's bytes and how many of them are holes.
fn bytes_of(reader: &Reader<Bytes>, body: read::Body) -> std::io::Result<(Vec<u8>, u64)> {
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

fn compare(model: &Model, bytes: Vec<u8>) {
    let reader = reader(bytes).expect("good image");
    assert_eq!(reader.epoch(), EPOCH);
    let tree = reader.tree().expect("good tree");
    let mut comparison = Comparison { reader: &reader, tree: &tree, model, seen: HashMap::new() };
    comparison.directory(&tree.root, &model.root);
    let named = (0..model.inodes.len() as u32).filter(|inode| model.links(*inode) > 0).count();
    assert_eq!((comparison.seen.len(), tree.inodes.len()), (named, named));
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("IMAGE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_tree_that_was_written_is_read_again(model in any_model()) {
        compare(&model, image(&model, EqualFiles::Apart));
        compare(&model, image(&model, EqualFiles::Shared));
    }
}

fn inode(id: u32) -> Entry {
    Entry::Inode(InodeId(id))
}

/// A small tree of everything.
fn everything() -> Model {
    let all = vec![
        xattr("security.capability", b"1234567890"),
        xattr("system.posix_acl_access", &acl()),
        xattr("trusted.a\u{ff}", b""),
        xattr("user.large", &[7; 600]),
    ];
    let device = Device { major: 259, minor: 4660 };
    let below = directory(Meta { xattrs: all[..2].to_vec(), ..meta(0o1777) }, vec![(b"again", inode(0))]);
    Model {
        inodes: vec![
            (Meta { xattrs: all, ..meta(0o4755) }, What::File(vec![Part::Data(1, 5000)])),
            (Meta { uid: 70_000, ..meta(0o644) }, What::File(vec![Part::Data(2, 8192)])),
            (meta(0o644), What::File(vec![Part::Hole(8192), Part::Data(3, 5000), Part::Hole(4096), Part::Data(4, 1)])),
            (meta(0o777), What::Special(Special::Symlink(b"../x".as_slice().into()))),
            (meta(0o600), What::Special(Special::Block(device))),
            (meta(0o600), What::Special(Special::Fifo)),
            (meta(0o644), What::File(vec![])),
        ],
        root: directory(
            meta(0o755),
            vec![
                (b"a", inode(0)),
                (b"b", inode(1)),
                (b"c", inode(2)),
                (b"d", inode(3)),
                (b"e", inode(4)),
                (b"f", inode(5)),
                (b"g", inode(6)),
                (b"h", Entry::Directory(below)),
            ],
        ),
    }
}

#[test]
fn holes_are_read_as_holes() {
    let model = everything();
    let reader = reader(image(&model, EqualFiles::Apart)).expect("good image");
    let tree = reader.tree().expect("good tree");
    let Some(Entry::Inode(id)) = tree.root.entries.get(&b"c"[..]) else { panic!("no file") };
    let read::What::File(body) = reader.inode(tree.inodes[id.0 as usize]).expect("read").what else {
        panic!("no file");
    };
    let (bytes, holes) = bytes_of(&reader, body).expect("read");
    assert_eq!((bytes.len() as u64, holes), (body.size(), 12288 - 4096));
}

/// Reads all that can be read, of whatever it is.
fn read_all(bytes: Vec<u8>) -> std::io::Result<()> {
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
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

#[test]
fn images_that_are_cut_off_are_refused() {
    let whole = image(&everything(), EqualFiles::Apart);
    read_all(whole.clone()).expect("good image");
    for size in (0..whole.len()).step_by(97) {
        assert!(read_all(whole[..size].to_vec()).is_err(), "{size} of {} bytes", whole.len());
    }
}

#[test]
fn no_change_of_an_image_makes_the_reader_panic_or_go_on_for_ever() {
    let whole = image(&everything(), EqualFiles::Apart);
    // Blocks with inodes, names and addresses; files' own bytes say nothing to the reader.
    let mut dice = Dice(7);
    let mut refused = 0;
    let flips = std::env::var("IMAGE_FLIPS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000);
    for _ in 0..flips {
        let mut bytes = whole.clone();
        // Without the superblock's checksum, so that it can be changed too.
        bytes[1024 + 8] &= !1;
        for _ in 0..=dice.below(4) {
            let at = match dice.below(3) {
                0 => 1024 + dice.below(256),
                1 => bytes.len() - 1 - dice.below(8192),
                _ => dice.below(bytes.len()),
            };
            bytes[at] = match dice.below(3) {
                0 => bytes[at] ^ 1 << dice.below(8),
                1 => [0, 0xff][dice.below(2)],
                _ => dice.below(256) as u8,
            };
        }
        refused += usize::from(read_all(bytes).is_err());
    }
    assert!(refused > flips / 10, "{refused} of {flips} refused");
}

/// Puts the number of one directory's inode into the entry of another name.
fn with_entry(mut bytes: Vec<u8>, name: u8, number: u64) -> Vec<u8> {
    // The root's names are behind its inode: one block of entries with names of a byte.
    let at = bytes.windows(11).position(|window| window == b"...abcdefgh").expect("the root's names");
    let entry = at - (2 + 8) * 12 + (2 + usize::from(name - b'a')) * 12;
    bytes[entry..entry + 8].copy_from_slice(&number.to_le_bytes());
    bytes[1024 + 8] &= !1;
    bytes
}

#[test]
fn a_directory_that_is_in_itself_or_in_two_is_refused() {
    let whole = image(&everything(), EqualFiles::Apart);
    let root = u64::from(u16::from_le_bytes([whole[1024 + 14], whole[1024 + 15]]));
    let at = whole.windows(11).position(|window| window == b"...abcdefgh").expect("the root's names");
    let below = u64::from_le_bytes(whole[at - 12..at - 4].try_into().expect("eight bytes"));
    for number in [root, below] {
        let error = read_all(with_entry(whole.clone(), b'a', number)).expect_err("a cycle");
        assert!(error.to_string().starts_with("two names lead to one directory"), "{error}");
    }
}

/// A directory of the host with everything that `mkfs.erofs` takes from one.
fn source(path: &Path) {
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
    std::os::unix::fs::symlink("x".repeat(3000), path.join("long")).expect("linked");
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
fn same(reader: &Reader<Bytes>, tree: &Tree, found: &Directory, path: &Path, links: &mut BTreeMap<u64, InodeId>) {
    let names = std::fs::read_dir(path).expect("listed").map(|entry| entry.expect("listed").file_name());
    let mut names: Vec<_> = names.map(|name| name.as_bytes().to_vec()).collect();
    names.sort();
    assert!(names.iter().eq(found.entries.keys().map(|name| name.to_vec()).collect::<Vec<_>>().iter()));
    for (name, entry) in &found.entries {
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

#[test]
fn images_of_mkfs_erofs_are_read_as_they_were_made() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).expect("made");
    source(&from);
    for options in [
        &[][..],
        &["--chunksize=4096"],
        &["--chunksize=65536"],
        &["-Enoinline_data"],
        &["-Eforce-inode-extended"],
        &["-x-1", "--all-root", "-T1000"],
    ] {
        let words: Vec<&OsStr> = options.iter().map(OsStr::new).chain([to.as_os_str(), from.as_os_str()]).collect();
        run("mkfs.erofs", &words);
        let reader = reader(std::fs::read(&to).expect("read")).expect("good image");
        let tree = reader.tree().expect("good tree");
        if options.contains(&"-T1000") {
            assert_eq!(reader.epoch().seconds, 1000);
            continue;
        }
        let etc = tree.root.entries.get(&b"etc"[..]);
        assert!(matches!(etc, Some(Entry::Directory(etc)) if etc.meta.xattrs.len() == 1), "{options:?}");
        same(&reader, &tree, &tree.root, &from, &mut BTreeMap::new());
    }
}

#[test]
fn compressed_images_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).expect("made");
    std::fs::write(from.join("zeros"), vec![0; 1 << 20]).expect("written");
    run("mkfs.erofs", &[OsStr::new("-zlz4hc"), to.as_os_str(), from.as_os_str()]);
    let error = read_all(std::fs::read(&to).expect("read")).expect_err("compressed");
    assert_eq!(
        error.to_string(),
        "it is compressed, and only images without compression are read: make it with mkfs.erofs without -z"
    );
}
