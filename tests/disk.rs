//! Disk images against `sfdisk` and `systemd-dissect`.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part, What, directory, meta};
use images::mounted::run;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use veneer::image::disk::{Contents, lay_out};
use veneer::image::erofs::{EqualFiles, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::partition::{Machine, Partition};
use veneer::image::signature_partition::signature_json;
use veneer::image::tree::{Entry, InodeId};

/// A root with an os-release, which systemd-dissect looks for.
fn model() -> Model {
    let etc = directory(meta(0o755), vec![(b"os-release", Entry::Inode(InodeId(0)))]);
    let usr = directory(meta(0o755), vec![]);
    let inodes = vec![(meta(0o644), What::File(vec![Part::Data(b'#', 1)]))];
    Model {
        inodes,
        root: directory(meta(0o755), vec![(b"etc", Entry::Directory(etc)), (b"usr", Entry::Directory(usr))]),
    }
}

#[test]
fn sfdisk_and_systemd_take_the_disk_for_what_it_is() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("root.raw");
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("create");
    let options = Options { seed: Seed([3; 32]), epoch: EPOCH, equal: EqualFiles::Apart };
    let finished = model().write(Writer::new(file, options).expect("writer")).expect("written");
    let signature = signature_json(&finished.tree.root, &[1; 32], b"no real one");
    let disk = lay_out(&Contents {
        image: finished.size,
        tree: finished.tree.file.len() as u64,
        signature: Some(signature.len() as u64),
        root: &finished.tree.root,
        machine: if cfg!(target_arch = "aarch64") { Machine::Arm64 } else { Machine::X86_64 },
        seed: options.seed,
    });
    let target = dir.path().join("disk.raw");
    let out = File::create(&target).expect("create");
    out.set_len(disk.size).expect("size");
    out.write_all_at(&disk.head, 0).expect("head");
    out.write_all_at(&disk.tail.1, disk.tail.0).expect("tail");
    let image = std::fs::read(&path).expect("read");
    for (partition, at) in &disk.partitions {
        let bytes = match partition {
            Partition::Root => &image,
            Partition::Tree => &finished.tree.file,
            Partition::Signature => &signature,
        };
        out.write_all_at(bytes, *at).expect("partition");
    }
    let said = run("sfdisk", &[OsStr::new("--verify"), target.as_os_str()]);
    assert!(said.contains("No errors detected"), "{said}");
    let said = run("systemd-dissect", &[OsStr::new("--no-pager"), target.as_os_str()]);
    assert!(said.contains("root-verity-sig") && said.contains("signed"), "{said}");
}
