//! `veneer-convert` as it is run: one image in all its forms, the result mounted, and what is left when it goes wrong.
#![allow(clippy::expect_used, clippy::panic, unreachable_pub, dead_code, reason = "a test, not a library")]

mod beside;
mod boot;
#[path = "../layers/builder.rs"]
mod builder;
#[path = "../layers/forms.rs"]
mod forms;
#[path = "../images/mod.rs"]
mod images;
mod trouble;

use builder::{Header, Tar};
use forms::{Files, config, entry, gzip};
use images::mounted::{Mounted, may_mount};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use veneer::image::manifest::Manifest;
use veneer::root_hash::RootHash;
use veneer::verity::Superblock;
use veneer::verity::tree::{Tree, check_all};

/// A program, a link, what a layer deletes, a device, an owner, a capability, a hard link; and a time of making.
fn layers() -> Vec<Vec<u8>> {
    let mut owned = Header::new(b'0', b"srv/data", 3);
    owned.octal(108, 8, 1000).octal(116, 8, 100).octal(136, 12, 1_700_000_000).octal(100, 8, 0o640);
    let capability = builder::record(b"SCHILY.xattr.user.note", b"kept");
    let base = Tar::new()
        .dir(b"bin")
        .file(b"bin/hello", &vec![7; 70_000])
        .symlink(b"sbin", b"bin")
        .dir_mode(b"tmp", 0o1777)
        .dir(b"srv")
        .file(b"srv/old", b"gone soon")
        .entry(&owned, b"abc")
        .special(b'3', b"null", 1, 3);
    let above =
        Tar::new().file(b"srv/.wh.old", b"").hard(b"bin/hi", b"bin/hello").pax(&[capability]).file(b"noted", b"x");
    // A hard link to what only the lower layer has is the lower layer's file.
    vec![base.end(), above.end()]
}

const CREATED: &str = r#""created":"2026-11-21T12:34:56.789Z","#;

/// The image as an OCI layout, an OCI archive and what `docker save` writes: their sources.
fn forms_of(layers: &[Vec<u8>], dir: &Path) -> [String; 3] {
    let config = config("amd64", layers, CREATED);
    let mut layout = Files::default();
    let image = layout.image(&config, layers, gzip);
    layout.index(&[entry(&image, "")]).write(&dir.join("oci"));
    layout.archive(&dir.join("oci.tar"));
    Files::docker_old(&config, layers).archive(&dir.join("docker.tar"));
    let at = |name: &str| dir.join(name).display().to_string();
    [
        format!("oci:{}", at("oci")),
        format!("oci-archive:{}", at("oci.tar")),
        format!("docker-archive:{}", at("docker.tar")),
    ]
}

fn command(source: &str, output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veneer-convert"));
    command.args([source, "--platform=amd64", "--output"]).arg(output).args(more);
    command.env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Converts; it must succeed. What it says.
fn convert(source: &str, output: &Path, more: &[&str]) -> String {
    let done = command(source, output, more).output().expect("started");
    assert!(done.status.success(), "{source}: {}", said(&done));
    said(&done)
}

fn root_hash(output: &Path) -> String {
    fs::read_to_string(output.with_extension("roothash")).expect("a root hash")
}

/// The files in a directory, hidden ones too.
fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("list");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("list").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

const ALL: [&str; 4] = ["x.manifest.json", "x.raw", "x.roothash", "x.verity"];

/// Whether an image named `x` is there; if so it must be whole.
fn is_whole(path: &Path) -> bool {
    let Ok(image) = fs::read(path.join("x.raw")) else { return false };
    let tree = fs::read(path.join("x.verity")).expect("tree");
    let root = RootHash::parse(&fs::read_to_string(path.join("x.roothash")).expect("root hash")).expect("root hash");
    let sb = Superblock::parse(tree[..512].try_into().expect("head")).expect("superblock");
    let bytes = root.to_bytes();
    let open = Tree::open(&tree[..], &sb, &bytes).expect("good tree");
    check_all(&open, &image[..], 1, |_| ()).expect("good image");
    let manifest = fs::read(path.join("x.manifest.json")).expect("manifest");
    let manifest: Manifest = serde_json::from_slice(&manifest).expect("manifest");
    assert_eq!((manifest.root_hash.as_str(), manifest.sizes.image), (root.as_str(), image.len() as u64));
    true
}

/// What is below a directory, a line for each name.
fn listing(path: &Path, shown: &str, out: &mut String) {
    let mut entries: Vec<_> = fs::read_dir(path).expect("list").map(|entry| entry.expect("list")).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, found) = (entry.path(), entry.metadata().expect("stat"));
        let shown = format!("{shown}/{}", entry.file_name().to_string_lossy());
        let what = match found.file_type() {
            kind if kind.is_dir() => "dir".to_owned(),
            kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path).expect("link").display()),
            kind if kind.is_char_device() => format!("char {:#x}", found.rdev()),
            _ => format!("{} bytes, {} names", found.len(), found.nlink()),
        };
        let (mode, uid, gid, time) = (found.mode() & 0o7777, found.uid(), found.gid(), found.mtime());
        writeln!(out, "{shown} {mode:o} {uid}:{gid} {time} {what}").expect("in memory");
        if found.is_dir() {
            listing(&path, &shown, out);
        }
    }
}

const TREE: &str = "\
/bin 755 0:0 0 dir
/bin/hello 644 0:0 0 70000 bytes, 2 names
/bin/hi 644 0:0 0 70000 bytes, 2 names
/noted 644 0:0 0 1 bytes, 1 names
/null 644 0:0 0 char 0x103
/sbin 777 0:0 0 -> bin
/srv 755 0:0 0 dir
/srv/data 640 1000:100 1700000000 3 bytes, 1 names
/tmp 1777 0:0 0 dir
";

#[test]
fn one_image_has_one_root_hash_in_all_its_forms_with_any_threads() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let forms = forms_of(&layers(), dir.path());
    for (format, wanted_options) in [("erofs", "ro"), ("ext4", "ro,noload")] {
        let mut roots = Vec::new();
        for (number, source) in forms.iter().enumerate() {
            for threads in [&[][..], &["--one-thread"]] {
                let output = dir.path().join(format!("{format}-{number}-{}", threads.len()));
                convert(source, &output, &[&["--format", format, "--no-mount-points"], threads].concat());
                roots.push(root_hash(&output));
            }
        }
        roots.dedup();
        assert_eq!(roots.len(), 1, "{format}: {roots:?}");
        if may_mount() {
            let mounted = Mounted::new(format, &dir.path().join(format!("{format}-0-0.raw")), wanted_options);
            let mut found = String::new();
            listing(mounted.path(), "", &mut found);
            let found = found.lines().filter(|line| !line.starts_with("/lost+found"));
            assert_eq!(found.map(|line| format!("{line}\n")).collect::<String>(), TREE, "{format}");
            let mut value = [0; 16];
            let size = rustix::fs::getxattr(mounted.path().join("noted"), "user.note", &mut value).expect("attribute");
            assert_eq!(&value[..size], b"kept");
            assert!(fs::read(mounted.path().join("bin/hi")).expect("read").iter().all(|byte| *byte == 7));
        }
    }
}

#[test]
fn the_superblocks_time_is_the_images_own() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, ..] = forms_of(&layers(), dir.path());
    let output = dir.path().join("x");
    convert(&oci, &output, &[]);
    let image = fs::read(dir.path().join("x.raw")).expect("image");
    // `epoch` in the EROFS superblock (erofs_fs.h): 24 bytes behind its beginning at 1024.
    let seconds = u64::from_le_bytes(image[1024 + 24..1024 + 32].try_into().expect("eight bytes"));
    assert_eq!(seconds, 1_795_264_496);
}

#[test]
fn a_second_run_finds_what_the_first_made_whatever_its_form_is() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, archive, docker] = forms_of(&layers(), dir.path());
    let output = dir.path().join("x");
    assert!(convert(&oci, &output, &[]).contains(&root_hash(&dir.path().join("x"))));
    let made = fs::metadata(dir.path().join("x.raw")).expect("image").ino();
    for source in [&oci, &archive, &docker] {
        let began = Instant::now();
        let said = convert(source, &output, &[]);
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        assert!(said.contains("is there already, made from the same"), "{said}");
        let shown = command(source, &output, &["--dry-run"]).output().expect("started").stdout;
        assert_eq!(
            String::from_utf8_lossy(&shown),
            format!("keep {}.raw, which was made from the same\n", output.display())
        );
    }
    assert_eq!(fs::metadata(dir.path().join("x.raw")).expect("image").ino(), made);
    let other = convert(&oci, &output, &["--no-mount-points"]);
    assert!(!other.contains("already"), "{other}");
    assert_ne!(fs::metadata(dir.path().join("x.raw")).expect("image").ino(), made);
    assert!(is_whole(dir.path()));
}

fn veneer(words: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_veneer")).arg("image").args(words).output().expect("started");
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[test]
fn an_image_is_inspected_and_a_flipped_bit_in_it_is_found() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, ..] = forms_of(&layers(), dir.path());
    convert(&oci, &dir.path().join("x"), &[]);
    let (image, root) = (dir.path().join("x.raw"), root_hash(&dir.path().join("x")));
    let path = image.to_str().expect("text");
    let (code, text) = veneer(&["inspect", path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with(&format!("{path}\n Root hash: {root}\n    Format: erofs, layout 1\n")), "{text}");
    let (_, json) = veneer(&["inspect", path, "--json=short"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["root_hash"], &json["manifest"]["root-hash"]), (&root.clone().into(), &root.clone().into()));
    let (code, text) = veneer(&["verify", path]);
    assert_eq!(
        (code, text.trim_end()),
        (
            Some(0),
            &*format!(
                "{path}: all {} blocks are as root hash {root} says",
                fs::metadata(&image).expect("image").len() / 4096
            )
        )
    );
    let mut bytes = fs::read(&image).expect("read");
    bytes[5000] ^= 1;
    fs::write(&image, bytes).expect("written");
    assert_eq!(veneer(&["verify", path]), (Some(65), format!("veneer: {path} is damaged in block 1\n")));
    fs::write(dir.path().join("x.roothash"), "00".repeat(32)).expect("written");
    let (code, text) = veneer(&["verify", path]);
    assert!(code == Some(65) && text.contains("is not what its manifest says: the root hash is 0000"), "{text}");
    assert_eq!(veneer(&["verify", "/none.raw"]), (Some(66), "veneer: there is no image /none.raw\n".into()));
}

#[test]
fn what_is_injected_is_in_the_image_and_in_its_recipe() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, ..] = forms_of(&layers(), dir.path());
    let (store, agent) = (dir.path().join("store"), dir.path().join("agent"));
    fs::create_dir(&store).expect("made");
    fs::write(&agent, "one").expect("written");
    let inject = format!("--inject={}:/sbin/agent", agent.display());
    convert(&oci, &store.join("x"), &[&inject]);
    let first = root_hash(&store.join("x"));
    assert!(convert(&oci, &store.join("x"), &[&inject]).contains("already"));
    fs::write(&agent, "two").expect("written");
    assert!(!convert(&oci, &store.join("x"), &[&inject]).contains("already"));
    assert_ne!(root_hash(&store.join("x")), first);
    if may_mount() {
        let mounted = Mounted::new("erofs", &store.join("x.raw"), "ro");
        assert_eq!(fs::read_to_string(mounted.path().join("bin/agent")).expect("the agent"), "two");
        assert!(mounted.path().join("etc/machine-id").exists());
    }
    let refused = command(&oci, &store.join("x"), &[&format!("--inject={}:/bin/hello", agent.display())]).output();
    let refused = refused.expect("started");
    assert_eq!(refused.status.code(), Some(65), "{}", said(&refused));
    assert!(said(&refused).starts_with("veneer-convert: converting x: "), "{}", said(&refused));
    assert!(is_whole(&store) && names(&store) == ALL);
}
