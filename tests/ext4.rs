//! ext4 images against the kernel of this machine and `e2fsck`.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part, What, acl, any_model, capability, data, directory, inode, meta, xattr};
use images::mounted::{Mounted, may_mount, run};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use veneer::image::ext4::{Finished, Journal, Options, Size, Writer};
use veneer::image::identity::Seed;
use veneer::image::tree::{Device, Entry, Meta, Special, Time};

const EXACT: Options = Options { seed: Seed([5; 32]), size: Size::Exact, journal: Journal::None, epoch: EPOCH };

struct Made {
    dir: tempfile::TempDir,
    finished: Finished,
}

impl Made {
    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn check(&self, model: &Model) {
        assert_eq!(std::fs::metadata(self.image()).expect("stat").len(), self.finished.size);
        fsck(&self.image());
        if may_mount() {
            Mounted::new("ext4", &self.image(), "ro,noload").compare(model, ignored(model));
        }
    }
}

/// What ext4 brings itself.
fn ignored(model: &Model) -> &'static [&'static str] {
    if model.root.entries.contains_key(&b"lost+found"[..]) { &[] } else { &["lost+found"] }
}

fn fsck(image: &Path) {
    run("e2fsck", &[OsStr::new("-fn"), image.as_os_str()]);
}

fn written(model: &Model, options: Options) -> std::io::Result<Made> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || File::options().read(true).write(true).create_new(true).open(dir.path().join("image"));
    let finished = model.write(Writer::new(open()?, options)?)?;
    Ok(Made { dir, finished })
}

fn made(model: &Model, options: Options) -> Made {
    written(model, options).expect("written")
}

fn kinds() -> Model {
    let device = Device { major: 4095, minor: 1_048_575 };
    let all = vec![
        xattr("security.capability", &capability()),
        xattr("system.posix_acl_access", &acl()),
        xattr("trusted.\u{1}\u{e4}\n", b"\0\xff"),
        xattr("user.empty", b""),
        xattr("user.large", &[7; 3000]),
    ];
    let before_1970 = Time { seconds: -2_000_000_001, nanoseconds: 999_999_999 };
    Model {
        inodes: vec![
            (Meta { xattrs: all.clone(), ..meta(0o4755) }, data(1, 10)),
            (Meta { mtime: before_1970, uid: u32::MAX - 1, ..meta(0o2644) }, data(2, 1_000_000)),
            (meta(0o777), What::Special(Special::Symlink(b"../\xff".as_slice().into()))),
            (meta(0o777), What::Special(Special::Symlink(vec![b'x'; 4095].into()))),
            (meta(0o777), What::Special(Special::Symlink(vec![b'x'; 60].into()))),
            (meta(0o600), What::Special(Special::Character(device))),
            (meta(0o660), What::Special(Special::Block(Device { major: 8, minor: 1 }))),
            (meta(0o000), What::Special(Special::Fifo)),
            (meta(0o1777), What::Special(Special::Socket)),
            (meta(0o600), What::Special(Special::Character(Device { major: 0, minor: 0 }))),
            (meta(0o444), What::File(vec![])),
            (Meta { xattrs: all.clone(), ..meta(0o600) }, data(3, 500_000)),
        ],
        root: directory(
            Meta { xattrs: vec![xattr("system.posix_acl_default", &acl())], ..meta(0o755) },
            vec![
                (b"file", inode(0)),
                (b"other", inode(1)),
                (b"other again", inode(1)),
                (b"link", inode(2)),
                (b"long link", inode(3)),
                (b"link of 60", inode(4)),
                (b"char", inode(5)),
                (b"block", inode(6)),
                (b"fifo", inode(7)),
                (b"socket", inode(8)),
                (b"whiteout", inode(9)),
                (b"\xff\x01", inode(10)),
                (&[b'n'; 255], inode(10)),
                (b"empty", Entry::Directory(directory(Meta { xattrs: all[..3].to_vec(), ..meta(0o1777) }, vec![]))),
            ],
        ),
    }
}

#[test]
fn every_kind_of_file_comes_back_as_it_went_in() {
    let model = kinds();
    made(&model, EXACT).check(&model);
}

#[test]
fn a_lost_and_found_of_the_tree_is_the_file_systems_own() {
    let below = |mode| Entry::Directory(directory(meta(mode), vec![]));
    let lost = Entry::Directory(directory(meta(0o711), vec![(b"below", below(0o705))]));
    let root = directory(meta(0o755), vec![(b"a", below(0o701)), (b"lost+found", lost), (b"z", below(0o702))]);
    let model = Model { inodes: vec![], root };
    made(&model, EXACT).check(&model);
}

#[test]
fn with_a_size_there_is_room_to_write() {
    let model = kinds();
    let options = Options { size: Size::Bytes(300 << 20), journal: Journal::BySize, ..EXACT };
    let image = made(&model, options);
    assert_eq!(image.finished.size, 300 << 20);
    image.check(&model);
    if !may_mount() {
        return;
    }
    {
        let mounted = Mounted::new("ext4", &image.image(), "rw");
        std::fs::write(mounted.path().join("new"), vec![1; 200 << 20]).expect("written");
        for index in 0..3000 {
            std::fs::write(mounted.path().join("empty").join(format!("new file {index}")), "x").expect("written");
        }
    }
    fsck(&image.image());
    std::fs::OpenOptions::new()
        .write(true)
        .open(image.image())
        .and_then(|file| file.set_len(600 << 20))
        .expect("longer");
    run("e2fsck", &[OsStr::new("-fp"), image.image().as_os_str()]);
    run("resize2fs", &[image.image().as_os_str()]);
    fsck(&image.image());
}

#[test]
fn a_size_that_is_too_small_is_refused_with_what_is_needed() {
    let with = |size| Options { size: Size::Bytes(size), ..EXACT };
    let refused = written(&kinds(), with(1 << 20)).map(|_| ()).expect_err("too small").to_string();
    let needed = refused.split(' ').find_map(|word| word.parse().ok()).expect("a number");
    assert_eq!(refused, format!("the files need an image of {needed} bytes, its size is given as 1048576"));
    let refused = written(&kinds(), with(1 << 10)).map(|_| ()).expect_err("less than a block").to_string();
    assert!(refused.ends_with("its size is given as 1024"), "{refused}");
    assert!(written(&kinds(), with(needed - 4096)).is_err());
    made(&kinds(), with(needed)).check(&kinds());
}

#[test]
fn holes_stay_holes_and_large_files_cross_groups() {
    let (megabyte, gigabyte) = (1 << 20, 1 << 30);
    let model = Model {
        inodes: vec![
            (meta(0o644), What::File(vec![Part::Hole(1024 * gigabyte)])),
            (meta(0o644), What::File(vec![Part::Data(1, 5000), Part::Hole(5 * gigabyte), Part::Data(2, 5000)])),
            (meta(0o644), What::File(vec![Part::Hole(4096), Part::Data(3, 4096), Part::Hole(4096), Part::Data(4, 1)])),
            (meta(0o644), What::File(vec![Part::Data(5, 10), Part::Hole(100)])),
            (meta(0o644), What::File((0..2000).flat_map(|_| [Part::Hole(4096), Part::Data(6, 4096)]).collect())),
            (meta(0o644), data(7, 300 * megabyte + 5)),
        ],
        root: directory(meta(0o755), (0..6).map(|id| (&b"abcdef"[id..=id], inode(id as u32))).collect()),
    };
    made(&model, EXACT).check(&model);
}

#[test]
fn many_names_many_inodes_and_many_links() {
    let names: Vec<_> = (0..70_000u32).map(|index| format!("name {index}").into_bytes()).collect();
    let below = |count: usize| {
        let empty = || Entry::Directory(directory(meta(0o711), vec![]));
        Entry::Directory(directory(meta(0o700), names[..count].iter().map(|name| (&**name, empty())).collect()))
    };
    let links = names[..65_000].iter().map(|name| (&**name, inode(0))).collect();
    let model = Model {
        inodes: vec![(meta(0o644), data(1, 5000))],
        root: directory(
            meta(0o755),
            vec![(b"a", Entry::Directory(directory(meta(0o700), links))), (b"b", below(66_000)), (b"c", below(3))],
        ),
    };
    let made = made(&model, EXACT);
    fsck(&made.image());
    if may_mount() {
        let mounted = Mounted::new("ext4", &made.image(), "ro,noload");
        for (path, links) in [("a/name 64999", 65_000), ("b", 1), ("c", 5)] {
            let found = std::fs::symlink_metadata(mounted.path().join(path)).expect(path);
            assert_eq!(std::os::unix::fs::MetadataExt::nlink(&found), links, "{path}");
        }
    }
    let one_more = names[..65_001].iter().map(|name| (&**name, inode(0))).collect();
    let root = directory(meta(0o755), one_more);
    assert!(written(&Model { inodes: model.inodes, root }, EXACT).is_err());
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("IMAGE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(30);
    ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_tree_comes_back(model in any_model(), size in 0..3u64) {
        let sizes = [Size::Exact, Size::Bytes(40 << 20), Size::Bytes(140 << 20)];
        let options = Options { size: sizes[size as usize], journal: Journal::BySize, ..EXACT };
        let (first, again) = (made(&model, options), made(&model, options));
        first.check(&model);
        let read = |made: &Made| std::fs::read(made.image()).expect("read");
        prop_assert!(read(&first) == read(&again));
    }
}
