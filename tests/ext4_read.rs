//! ext4 images read again: what the writer wrote, what mke2fs and the kernel made, and what nobody should make.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part, What, acl, any_model, capability, data, directory, inode, meta, xattr};
use images::mounted::{Mounted, may_mount, run};
use images::reading::{Dice, bytes_of, compare, read_all, reader, same, source};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use veneer::image::ext4::{Journal, Options, Size, Writer};
use veneer::image::identity::Seed;
use veneer::image::read::{self, Kind};
use veneer::image::tree::{Device, Entry, Meta, Special, Time};

const EXACT: Options = Options { seed: Seed([5; 32]), size: Size::Exact, journal: Journal::None, epoch: EPOCH };

/// The image of a tree, as bytes.
fn image(model: &Model, options: Options) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("image");
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("created");
    model.write(Writer::new(file, options).expect("writer")).expect("written");
    std::fs::read(path).expect("read")
}

fn brought(model: &Model) -> &'static [&'static str] {
    if model.root.entries.contains_key(&b"lost+found"[..]) { &[] } else { &["lost+found"] }
}

fn everything() -> Model {
    let device = Device { major: 4095, minor: 1_048_575 };
    let all = vec![
        xattr("security.capability", &capability()),
        xattr("system.posix_acl_access", &acl()),
        xattr("trusted.\u{1}\u{e4}\n", b"\0\xff"),
        xattr("user.empty", b""),
        xattr("user.large", &[7; 3000]),
    ];
    let before_1970 = Time { seconds: -2_000_000_001, nanoseconds: 999_999_999 };
    let below = directory(Meta { xattrs: all[..2].to_vec(), ..meta(0o1777) }, vec![(b"again", inode(0))]);
    Model {
        inodes: vec![
            (Meta { xattrs: all.clone(), ..meta(0o4755) }, data(1, 5000)),
            (Meta { mtime: before_1970, uid: u32::MAX - 1, ..meta(0o2644) }, data(2, 1_000_000)),
            (meta(0o644), What::File(vec![Part::Hole(8192), Part::Data(3, 5000), Part::Hole(4096), Part::Data(4, 1)])),
            (meta(0o777), What::Special(Special::Symlink(b"../\xff".as_slice().into()))),
            (meta(0o777), What::Special(Special::Symlink(vec![b'x'; 4095].into()))),
            (Meta { xattrs: all, ..meta(0o777) }, What::Special(Special::Symlink(vec![b'x'; 59].into()))),
            (meta(0o600), What::Special(Special::Character(device))),
            (meta(0o660), What::Special(Special::Block(Device { major: 8, minor: 1 }))),
            (meta(0o000), What::Special(Special::Fifo)),
            (meta(0o1777), What::Special(Special::Socket)),
            (meta(0o444), What::File((0..2000).flat_map(|_| [Part::Hole(4096), Part::Data(6, 4096)]).collect())),
        ],
        root: directory(
            meta(0o755),
            (0..11u32)
                .map(|id| (&b"abcdefghijk"[id as usize..=id as usize], inode(id)))
                .chain([(&b"z"[..], Entry::Directory(below))])
                .collect(),
        ),
    }
}

#[test]
fn every_kind_of_file_comes_back() {
    let model = everything();
    compare(&model, image(&model, EXACT), brought(&model));
}

#[test]
fn holes_are_read_as_holes_and_room_as_it_is() {
    let sized = Options { size: Size::Bytes(300 << 20), journal: Journal::BySize, ..EXACT };
    let reader = reader(image(&everything(), sized)).expect("good image");
    let Kind::Ext4(room) = reader.kind() else { panic!("{:?}", reader.kind()) };
    assert_eq!((room.size, room.journal), (300 << 20, Journal::BySize));
    assert!((250 << 20..300 << 20).contains(&room.free), "{room:?}");
    let tree = reader.tree().expect("good tree");
    let Some(Entry::Inode(id)) = tree.root.entries.get(&b"c"[..]) else { panic!("no file") };
    let read::What::File(body) = reader.inode(tree.inodes[id.0 as usize]).expect("read").what else {
        panic!("no file");
    };
    let (bytes, holes) = bytes_of(&reader, body).expect("read");
    assert_eq!((bytes.len() as u64, holes), (body.size(), 8192));
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("IMAGE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
    ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_tree_that_was_written_is_read_again(model in any_model()) {
        compare(&model, image(&model, EXACT), brought(&model));
    }
}

/// Makes an image of a directory with mke2fs.
fn mke2fs(options: &[&str], from: &Path, to: &Path) {
    let _ = std::fs::remove_file(to);
    let words = options.iter().map(OsStr::new).chain([OsStr::new("-q"), OsStr::new("-d"), from.as_os_str()]);
    run("mke2fs", &words.chain([to.as_os_str(), OsStr::new("40M")]).collect::<Vec<_>>());
}

#[test]
fn images_of_mke2fs_are_read_as_they_were_made() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).expect("made");
    source(&from);
    for options in [
        &["-t", "ext4"][..],
        &["-t", "ext4", "-b", "1024"],
        &["-t", "ext4", "-O", "^64bit,^metadata_csum,^extent", "-b", "1024"],
        &["-t", "ext3", "-b", "1024"],
        &["-t", "ext2", "-I", "128"],
        &["-t", "ext4", "-O", "casefold", "-E", "encoding=utf8", "-g", "1024"],
    ] {
        mke2fs(options, &from, &to);
        let reader = reader(std::fs::read(&to).expect("read")).expect("good image");
        let tree = reader.tree().expect("good tree");
        let etc = tree.root.entries.get(&b"etc"[..]);
        assert!(matches!(etc, Some(Entry::Directory(etc)) if etc.meta.xattrs.len() == 1), "{options:?}");
        same(&reader, &tree, &tree.root, &from, &mut BTreeMap::new());
    }
}

#[test]
fn what_the_kernel_wrote_is_read_again() {
    if !may_mount() {
        return;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let (empty, from, to) = (dir.path().join("empty"), dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&empty).expect("made");
    std::fs::create_dir(&from).expect("made");
    mke2fs(&["-t", "ext4", "-b", "1024"], &empty, &to);
    source(&from);
    std::fs::write(from.join("unwritten"), vec![0; 100_000]).expect("written");
    {
        let mounted = Mounted::new("ext4", &to, "rw");
        run("cp", &["-a", &format!("{}/.", from.display()), &mounted.path().display().to_string()].map(OsStr::new));
        // Names that are deleted again leave indexes and blocks behind; what is allocated and not written is a hole.
        for index in 0..700 {
            let name = mounted.path().join("many").join(format!("a name that is not short {index}"));
            std::fs::rename(&name, name.with_extension("moved")).expect("renamed");
            std::fs::rename(name.with_extension("moved"), &name).expect("renamed");
        }
        let unwritten = mounted.path().join("unwritten");
        std::fs::remove_file(&unwritten).expect("removed");
        run("fallocate", &[OsStr::new("-l"), OsStr::new("100000"), unwritten.as_os_str()]);
        for name in ["many", "unwritten"] {
            let (like, path) = (from.join(name), mounted.path().join(name));
            run("touch", &[OsStr::new("-r"), like.as_os_str(), path.as_os_str()]);
        }
    }
    let reader = reader(std::fs::read(&to).expect("read")).expect("good image");
    let mut tree = reader.tree().expect("good tree");
    tree.root.entries.remove(&b"lost+found"[..]).expect("there");
    same(&reader, &tree, &tree.root, &from, &mut BTreeMap::new());
}

#[test]
fn an_image_that_is_mounted_is_in_use() {
    if !may_mount() {
        return;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("image");
    let options = Options { size: Size::Bytes(40 << 20), journal: Journal::BySize, ..EXACT };
    std::fs::write(&path, image(&everything(), options)).expect("written");
    let mounted = Mounted::new("ext4", &path, "rw");
    std::fs::write(mounted.path().join("new"), "x").expect("written");
    run("sync", &[]);
    let error = read_all(std::fs::read(&path).expect("read")).expect_err("in use");
    assert!(error.to_string().starts_with("it is in use"), "{error}");
}

#[test]
fn images_of_kinds_that_are_not_read_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).expect("made");
    for (feature, said) in [
        ("inline_data", "it has the feature inline_data, which is not read"),
        ("ea_inode", "it has the feature ea_inode, which is not read"),
        ("^resize_inode,meta_bg", "it has the feature meta_bg, which is not read"),
    ] {
        mke2fs(&["-t", "ext4", "-O", feature], &from, &to);
        let error = read_all(std::fs::read(&to).expect("read")).expect_err(feature);
        assert_eq!(error.to_string(), said);
    }
    assert_eq!(read_all(vec![0; 4096]).expect_err("nothing").to_string(), "it is neither an EROFS nor an ext4 image");
}

#[test]
fn images_that_are_cut_off_are_refused() {
    let whole = image(&everything(), EXACT);
    read_all(whole.clone()).expect("good image");
    for size in (0..whole.len()).step_by(40_009) {
        assert!(read_all(whole[..size].to_vec()).is_err(), "{size} of {} bytes", whole.len());
    }
}

#[test]
fn no_change_of_an_image_makes_the_reader_panic_or_go_on_for_ever() {
    let mut model = everything();
    // Small, so that most bytes mean something.
    model.inodes[1].1 = data(2, 10);
    model.inodes[10].1 = What::File((0..10).flat_map(|_| [Part::Hole(4096), Part::Data(6, 1)]).collect());
    let whole = image(&model, EXACT);
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut dice = Dice(7);
    let mut refused = 0;
    let flips = std::env::var("IMAGE_FLIPS").ok().and_then(|count| count.parse().ok()).unwrap_or(4000);
    for _ in 0..flips {
        let mut bytes = whole.clone();
        for _ in 0..=dice.below(4) {
            let at = match dice.below(3) {
                0 => 1024 + dice.below(352),
                _ => used[dice.below(used.len())],
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
