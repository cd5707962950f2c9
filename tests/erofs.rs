//! EROFS images against the kernel of this machine, `fsck.erofs` and `veritysetup`.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part, What, acl, any_model, capability, data, directory, inode, meta, xattr};
use images::mounted::{Mounted, may_mount, run};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use veneer::image::erofs::{EqualFiles, Finished, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::tree::{Device, Entry, Meta, Special, Time};

const SEED: Seed = Seed([5; 32]);

/// An image on disk.
struct Made {
    dir: tempfile::TempDir,
    finished: Finished,
}

impl Made {
    fn image(&self) -> std::path::PathBuf {
        self.dir.path().join("image")
    }

    /// By all oracles.
    fn check(&self, model: &Model) {
        let image = self.image();
        assert_eq!(std::fs::metadata(&image).expect("stat").len(), self.finished.size);
        fsck(&image);
        self.verify();
        if may_mount() {
            Mounted::new("erofs", &image, "ro").compare(model, &[]);
        }
    }

    fn verify(&self) {
        let tree = self.dir.path().join("tree");
        std::fs::write(&tree, &self.finished.tree.file).expect("write");
        let root = self.finished.tree.root.as_str();
        run("veritysetup", &[OsStr::new("verify"), self.image().as_os_str(), tree.as_os_str(), OsStr::new(root)]);
    }
}

fn fsck(image: &Path) {
    run("fsck.erofs", &[image.as_os_str()]);
}

fn made(model: &Model, equal: EqualFiles) -> Made {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || File::options().read(true).write(true).create_new(true).open(dir.path().join("image"));
    let writer = Writer::new(open().expect("create"), Options { seed: SEED, epoch: EPOCH, equal }).expect("writer");
    let finished = model.write(writer).expect("written");
    Made { dir, finished }
}

#[test]
fn every_kind_of_file_comes_back_as_it_went_in() {
    let device = Device { major: 4095, minor: 1_048_575 };
    let all = vec![
        xattr("security.capability", &capability()),
        xattr("system.posix_acl_access", &acl()),
        xattr("trusted.\u{1}\u{ff}\n", b"\0\xff"),
        xattr("user.empty", b""),
        xattr("user.large", &[7; 65_000]),
    ];
    let before_1970 = Time { seconds: -2_000_000_001, nanoseconds: 999_999_999 };
    let model = Model {
        inodes: vec![
            (Meta { xattrs: all.clone(), ..meta(0o4755) }, data(1, 10)),
            (Meta { mtime: before_1970, uid: u32::MAX - 1, ..meta(0o2644) }, data(2, 1_000_000)),
            (meta(0o777), What::Special(Special::Symlink(b"../\xff".as_slice().into()))),
            (meta(0o777), What::Special(Special::Symlink(vec![b'x'; 4095].into()))),
            (meta(0o600), What::Special(Special::Character(device))),
            (meta(0o660), What::Special(Special::Block(Device { major: 259, minor: 4660 }))),
            (meta(0o000), What::Special(Special::Fifo)),
            (meta(0o1777), What::Special(Special::Socket)),
            (meta(0o600), What::Special(Special::Character(Device { major: 0, minor: 0 }))),
            (meta(0o444), What::File(vec![])),
        ],
        root: directory(
            Meta { xattrs: vec![xattr("system.posix_acl_default", &acl())], ..meta(0o755) },
            vec![
                (b"!before dots", inode(0)),
                (b"file", inode(1)),
                (b"file again", inode(1)),
                (b"link", inode(2)),
                (b"long link", inode(3)),
                (b"char", inode(4)),
                (b"block", inode(5)),
                (b"fifo", inode(6)),
                (b"socket", inode(7)),
                (b"whiteout", inode(8)),
                (b"\xff\x01", inode(9)),
                (&[b'n'; 255], inode(9)),
                (b"empty", Entry::Directory(directory(Meta { xattrs: all[1..2].to_vec(), ..meta(0o1777) }, vec![]))),
            ],
        ),
    };
    made(&model, EqualFiles::Apart).check(&model);
}

#[test]
fn holes_stay_holes() {
    let gigabyte = 1 << 30;
    let model = Model {
        inodes: vec![
            (meta(0o644), What::File(vec![Part::Hole(1024 * gigabyte)])),
            (meta(0o644), What::File(vec![Part::Data(1, 5000), Part::Hole(5 * gigabyte), Part::Data(2, 5000)])),
            (meta(0o644), What::File(vec![Part::Hole(4096), Part::Data(3, 4096), Part::Hole(4096), Part::Data(4, 1)])),
            (meta(0o644), What::File(vec![Part::Data(5, 10), Part::Hole(100)])),
            (meta(0o644), What::File((0..2000).flat_map(|_| [Part::Hole(4096), Part::Data(6, 4096)]).collect())),
        ],
        root: directory(meta(0o755), (0..5).map(|id| (&b"abcde"[id..=id], inode(id as u32))).collect()),
    };
    let made = made(&model, EqualFiles::Shared);
    assert!(made.finished.size < 12 << 20, "{}", made.finished.size);
    made.check(&model);
}

#[test]
fn many_names_and_many_links() {
    let names: Vec<_> = (0..100_000u32).map(|index| format!("name {index}").into_bytes()).collect();
    let later = Time { seconds: EPOCH.seconds + 1, ..EPOCH };
    let model = Model {
        inodes: vec![
            (Meta { xattrs: vec![xattr("user.a", b"b")], ..meta(0o644) }, data(1, 5000)),
            (Meta { mtime: later, ..meta(0o600) }, data(2, 30)),
        ],
        root: directory(
            meta(0o755),
            vec![
                (
                    b"a",
                    Entry::Directory(directory(meta(0o700), names.iter().map(|name| (&**name, inode(0))).collect())),
                ),
                (
                    b"b",
                    Entry::Directory(directory(meta(0o700), names.iter().map(|name| (&**name, inode(1))).collect())),
                ),
                (
                    b"c",
                    Entry::Directory(directory(
                        meta(0o700),
                        names[..70_000]
                            .iter()
                            .map(|name| (&**name, Entry::Directory(directory(meta(0o711), vec![]))))
                            .collect(),
                    )),
                ),
            ],
        ),
    };
    let made = made(&model, EqualFiles::Apart);
    fsck(&made.image());
    made.verify();
    if may_mount() {
        let mounted = Mounted::new("erofs", &made.image(), "ro");
        for (path, links) in [("a/name 99999", 100_000), ("b/name 5", 100_000), ("c", 70_002)] {
            let found = std::fs::symlink_metadata(mounted.path().join(path)).expect(path);
            assert_eq!(std::os::unix::fs::MetadataExt::nlink(&found), links, "{path}");
        }
        assert_eq!(std::fs::read(mounted.path().join("a/name 7")).expect("read").len(), 5000);
        assert_eq!(std::fs::read_dir(mounted.path().join("a")).expect("list").count(), 100_000);
    }
}

#[test]
fn equal_files_share_their_blocks_and_nothing_else() {
    let name = |index: usize| format!("{index}").into_bytes();
    let sizes = [100, 5000, 8192, 4096 + 4050, 300_000, 1_000_000];
    let inodes: Vec<_> = (0..30usize).map(|index| (meta(0o600 + index as u16), data(9, sizes[index % 6]))).collect();
    let names: Vec<_> = (0..30).map(name).collect();
    let entries = names.iter().enumerate().map(|(index, name)| (&**name, inode(index as u32))).collect();
    let model = Model { inodes, root: directory(meta(0o755), entries) };
    let (apart, shared) = (made(&model, EqualFiles::Apart), made(&model, EqualFiles::Shared));
    assert!(shared.finished.size * 4 < apart.finished.size);
    shared.check(&model);
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("IMAGE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(80);
    ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_tree_comes_back(model in any_model()) {
        let first = made(&model, EqualFiles::Apart);
        first.check(&model);
        prop_assert_eq!(&made(&model, EqualFiles::Apart).finished, &first.finished);
        made(&model, EqualFiles::Shared).check(&model);
    }
}
