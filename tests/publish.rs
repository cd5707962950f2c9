//! Images on their way to their names, when something goes wrong: full disks of many sizes, and sudden death.
#![allow(clippy::expect_used, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part as Bytes, What, directory, meta};
use images::mounted::{may_mount, run, unmount};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use veneer::host::publish::Place;
use veneer::image::erofs::{EqualFiles, LAYOUT_VERSION, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::manifest::{Manifest, Recipe, Sizes};
use veneer::image::publish::ImageName;
use veneer::image::tree::{Entry, InodeId};
use veneer::root_hash::RootHash;
use veneer::verity::Superblock;
use veneer::verity::tree::{Tree, check_all};

fn model() -> Model {
    let names: Vec<_> = (0..200u32).map(|index| format!("{index}").into_bytes()).collect();
    let inodes = (0..200).map(|index| (meta(0o644), What::File(vec![Bytes::Data(index as u8, 300 * index)]))).collect();
    let entries = names.iter().zip(0..).map(|(name, index)| (&**name, Entry::Inode(InodeId(index)))).collect();
    Model { inodes, root: directory(meta(0o755), entries) }
}

fn recipe(source: &str) -> Recipe {
    Recipe {
        source: source.into(),
        format: "erofs".into(),
        layout_version: LAYOUT_VERSION,
        options: BTreeMap::new(),
        injected: Vec::new(),
    }
}

fn place(path: &Path) -> Place {
    Place::open(path.to_str().expect("text"), ImageName::parse("a").expect("name")).expect("place")
}

/// Makes an image named `a` there.
fn publish(path: &Path, source: &str) -> anyhow::Result<()> {
    let locked = place(path).lock(|| ())?;
    let unpublished = locked.begin()?;
    let options = Options { seed: Seed([source.len() as u8; 32]), epoch: EPOCH, equal: EqualFiles::Apart };
    let finished = model().write(Writer::new(unpublished.image()?, options)?)?;
    let manifest = Manifest {
        recipe: recipe(source),
        layers: Vec::new(),
        tool: "test".into(),
        root_hash: finished.tree.root.to_string(),
        sizes: Sizes { image: finished.size, tree: finished.tree.file.len() as u64 },
    };
    unpublished.publish(&finished.tree, &manifest)
}

/// The files that are there, hidden ones too.
fn names(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path).expect("list").map(|entry| entry.expect("list").file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().expect("text")).collect();
    names.sort();
    names
}

/// Whether an image is there; if so it must be whole.
fn is_there(path: &Path) -> bool {
    let Ok(image) = std::fs::read(path.join("a.raw")) else { return false };
    let tree = std::fs::read(path.join("a.verity")).expect("tree");
    let root = std::fs::read_to_string(path.join("a.roothash")).expect("root hash");
    let root = RootHash::parse(&root).expect("root hash").to_bytes();
    let sb = Superblock::parse(tree[..512].try_into().expect("head")).expect("superblock");
    let open = Tree::open(&tree[..], &sb, &root).expect("good tree");
    check_all(&open, &image[..], 1, |_| ()).expect("good image");
    let sources = ["1", "22"].iter().filter(|source| place(path).published(&recipe(source)).expect("read").is_some());
    assert_eq!(sources.count(), 1);
    true
}

#[test]
fn a_full_disk_is_one_error_and_leaves_nothing() {
    if !may_mount() {
        return;
    }
    let mut full = 0;
    // The image has 6 MB.
    for size in (1..22).map(|step| step * 320_000) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path();
        let options = format!("size={size}");
        run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", path.to_str().expect("text")].map(OsStr::new));
        let result = publish(path, "1");
        let left = names(path);
        let there = is_there(path);
        unmount(path);
        match result {
            Ok(()) => assert!(there),
            Err(error) => {
                full += 1;
                assert!(format!("{error:#}").contains("No space left on device"), "{error:#}");
                assert!(left.is_empty(), "{left:?}");
            }
        }
    }
    assert!((15..21).contains(&full), "{full}");
}

/// What `killed_at_any_moment` kills; it does nothing by itself.
#[test]
fn publishes_again_and_again() {
    let Some(path) = std::env::var_os("PUBLISH_IN") else { return };
    for round in 0.. {
        publish(Path::new(&path), ["1", "22"][round % 2]).expect("published");
    }
}

#[test]
fn killed_at_any_moment_an_image_is_whole_or_absent() {
    let kills = std::env::var("IMAGE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(20);
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut seen = 0;
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "publishes_again_and_again"])
            .env("PUBLISH_IN", dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("started");
        std::thread::sleep(Duration::from_millis(300 + kill * 7919 % 700));
        child.kill().expect("killed");
        child.wait().expect("ended");
        seen += usize::from(is_there(dir.path()));
    }
    assert!(seen > 0);
    publish(dir.path(), "1").expect("published");
    assert_eq!(names(dir.path()), ["a.manifest.json", "a.raw", "a.roothash", "a.verity"]);
    let began = Instant::now();
    assert!(place(dir.path()).published(&recipe("1")).expect("read").is_some());
    assert!(began.elapsed() < Duration::from_millis(20));
}
