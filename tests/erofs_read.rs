//! EROFS images read again: what the writer wrote, what `mkfs.erofs` made of a directory, and what nobody should make.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part, What, acl, any_model, directory, meta, xattr};
use images::mounted::run;
use images::reading::{Dice, bytes_of, compare, read_all, reader, same, source};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use veneer::image::erofs::{EqualFiles, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::read;
use veneer::image::tree::{Device, Entry, InodeId, Meta, Special};

/// The image of a tree, as bytes.
fn image(model: &Model, equal: EqualFiles) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("image");
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("created");
    let writer = Writer::new(file, Options { seed: Seed([5; 32]), epoch: EPOCH, equal }).expect("writer");
    model.write(writer).expect("written");
    std::fs::read(path).expect("read")
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("IMAGE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_tree_that_was_written_is_read_again(model in any_model()) {
        compare(&model, image(&model, EqualFiles::Apart), &[]);
        compare(&model, image(&model, EqualFiles::Shared), &[]);
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
            assert_eq!(reader.epoch().expect("a time").seconds, 1000);
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
