//! `veneer-inject` on images of many kinds: what it puts in, what it leaves, what it refuses and says.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod images;

use images::model::{EPOCH, Model, Part, What, directory, meta, xattr};
use images::mounted::{Mounted, may_mount, run};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use veneer::image::erofs::{EqualFiles, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::manifest::Manifest;
use veneer::image::tree::{Directory, Entry, InodeId, Meta, Special};

/// An ELF program for a machine, with an interpreter and libraries: as much of one as a loader looks at.
fn program(machine: u16, interpreter: Option<&str>, needed: &[&str]) -> Vec<u8> {
    let mut strings = vec![0];
    let offsets: Vec<u64> = needed
        .iter()
        .map(|name| {
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
            (strings.len() - name.len() - 1) as u64
        })
        .collect();
    let interpreter = interpreter.map(|path| [path.as_bytes(), b"\0"].concat()).unwrap_or_default();
    let headers = 64 + 3 * 56u64;
    let (strings_at, interpreter_at) = (headers, headers + strings.len() as u64);
    let dynamic_at = interpreter_at + interpreter.len() as u64;
    let mut dynamic: Vec<u64> = offsets.iter().flat_map(|offset| [1, *offset]).collect();
    dynamic.extend([5, 0x10_0000 + strings_at, 0, 0]);
    let dynamic: Vec<u8> = dynamic.iter().flat_map(|word| word.to_le_bytes()).collect();
    let end = dynamic_at + dynamic.len() as u64;
    let segment = |kind: u32, at: u64, address: u64, size: u64| {
        let words = [at, address, address, size, size, 1].map(u64::to_le_bytes).concat();
        [&kind.to_le_bytes()[..], &4u32.to_le_bytes(), &words].concat()
    };
    let mut file = [&b"\x7fELF\x02\x01\x01"[..], &[0; 9], &3u16.to_le_bytes(), &machine.to_le_bytes()].concat();
    file.extend(1u32.to_le_bytes());
    file.extend([0, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0u32.to_le_bytes());
    file.extend([64, 56, 3, 0, 0, 0].map(u16::to_le_bytes).concat());
    file.extend(segment(1, 0, 0x10_0000, end));
    file.extend(match interpreter.is_empty() {
        true => segment(0, 0, 0, 0),
        false => segment(3, interpreter_at, 0x10_0000 + interpreter_at, interpreter.len() as u64),
    });
    file.extend(segment(2, dynamic_at, 0x10_0000 + dynamic_at, dynamic.len() as u64));
    [file, strings, interpreter, dynamic].concat()
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A directory with an image in it, made like a small distribution's.
struct Case {
    dir: tempfile::TempDir,
    model: Model,
}

fn inode(id: u32) -> Entry {
    Entry::Inode(InodeId(id))
}

fn link(target: &str) -> (Meta, What) {
    (meta(0o777), What::Special(Special::Symlink(target.as_bytes().into())))
}

fn dir(entries: Vec<(&[u8], Entry)>) -> Entry {
    Entry::Directory(directory(meta(0o755), entries))
}

fn model(shell: &[u8]) -> Model {
    // Files of models are bytes that follow a rule, so a program is given as one piece for each of its bytes.
    let binary = |bytes: &[u8]| {
        let part = |(at, byte): (usize, &u8)| Part::Data(byte.wrapping_sub((at % 251) as u8), 1);
        What::File(bytes.iter().enumerate().map(part).collect())
    };
    let large = What::File(vec![Part::Data(3, 300_000), Part::Hole(1 << 20), Part::Data(9, 10)]);
    Model {
        inodes: vec![
            (meta(0o755), binary(shell)),
            link("usr/bin"),
            link("/usr/sbin"),
            link("../../../../../../../escaped"),
            (Meta { xattrs: vec![xattr("user.a", b"b")], uid: 7, ..meta(0o4750) }, large),
            link("loop"),
        ],
        root: directory(
            meta(0o755),
            vec![
                (b"bin", inode(1)),
                (b"etc", dir(vec![(b"large", inode(4)), (b"same file", inode(4)), (b"out", inode(3))])),
                (b"lib64", dir(vec![(b"ld-linux-x86-64.so.2", inode(0)), (b"libc.so.6", inode(0))])),
                (b"loop", inode(5)),
                (b"sbin", inode(2)),
                (b"usr", dir(vec![(b"bin", dir(vec![(b"sh", inode(0))])), (b"sbin", dir(vec![]))])),
            ],
        ),
    }
}

/// What the program said, and how it ended.
struct Ended {
    code: Option<i32>,
    said: String,
    complained: String,
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let model = model(&program(X86_64, None, &[]));
        let case = Self { dir, model };
        let file = File::options().read(true).write(true).create_new(true).open(case.path("base.raw"));
        let options = Options { seed: Seed([5; 32]), epoch: EPOCH, equal: EqualFiles::Apart };
        case.model.write(Writer::new(file.expect("created"), options).expect("writer")).expect("written");
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).expect("written");
        self.shown(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).to_str().expect("text").to_owned()
    }

    fn inject(&self, image: &str, words: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_veneer-inject"))
            .arg(self.path(image))
            .args(words)
            .env_remove("JOURNAL_STREAM")
            .output()
            .expect("started");
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&format!("{}/", self.dir.path().display()), "");
        Ended { code: output.status.code(), said: text(&output.stdout), complained: text(&output.stderr) }
    }

    /// Puts an agent in, which must work.
    fn inject_well(&self, image: &str, words: &[&str]) -> Ended {
        let ended = self.inject(image, words);
        assert_eq!(ended.code, Some(0), "{}{}", ended.said, ended.complained);
        ended
    }

    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.dir.path()).expect("listed");
        let mut names: Vec<_> =
            names.map(|name| name.expect("listed").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    fn manifest(&self, name: &str) -> Manifest {
        let text = std::fs::read(self.path(&format!("{name}.manifest.json"))).expect("manifest");
        serde_json::from_slice(&text).expect("manifest")
    }
}

fn verify(case: &Case, name: &str) {
    let root = std::fs::read_to_string(case.path(&format!("{name}.roothash"))).expect("root hash");
    let (image, tree) = (case.path(&format!("{name}.raw")), case.path(&format!("{name}.verity")));
    run("veritysetup", &[OsStr::new("verify"), image.as_os_str(), tree.as_os_str(), OsStr::new(root.trim())]);
}

fn below<'a>(directory: &'a mut Directory, path: &[&str]) -> &'a mut Directory {
    path.iter().fold(directory, |directory, name| match directory.entries.get_mut(name.as_bytes()) {
        Some(Entry::Directory(below)) => below,
        other => panic!("{name} is {other:?}"),
    })
}

#[test]
fn an_agent_goes_in_and_all_else_stays_as_it_was() {
    let mut case = Case::new();
    let agent = program(X86_64, Some(LOADER), &["libc.so.6"]);
    let file = case.file("agent", &agent);
    let manifest = case.file(
        "more.toml",
        format!(
            "[[inject.file]]\nsource = {file:?}\ntarget = \"/etc/deep/er/copy\"\nmode = \"4711\"\nuid = 5\ngid = 6\n\
             [[inject.link]]\ntarget = \"/bin/agent\"\nto = \"/sbin/vm-agent\"\n\
             [[inject.directory]]\ntarget = \"/srv\"\nmode = \"1777\"\n"
        ),
    );
    let out = case.shown("out");
    let ended = case.inject_well("base.raw", &["--agent", &file, "--manifest", &manifest, "--output", &out]);
    assert_eq!(
        ended.said,
        "put agent at /sbin/vm-agent (which is /usr/sbin/vm-agent)\nput a directory at /srv\n\
         put agent at /etc/deep/er/copy\nput a link to /sbin/vm-agent at /bin/agent (which is /usr/bin/agent)\n"
    );
    verify(&case, "out");
    run("fsck.erofs", &[case.path("out.raw").as_os_str()]);
    let targets: Vec<_> = case.manifest("out").recipe.injected.into_iter().map(|one| (one.target, one.mode)).collect();
    let wanted = [("/sbin/vm-agent", "0755"), ("/srv", "1777"), ("/etc/deep/er/copy", "4711"), ("/bin/agent", "0777")];
    assert_eq!(targets, wanted.map(|(target, mode)| (target.to_owned(), mode.to_owned())));
    if !may_mount() {
        return;
    }
    let root = Meta::default();
    let bytes = agent.iter().enumerate().map(|(at, byte)| Part::Data(byte.wrapping_sub((at % 251) as u8), 1));
    let parts: Vec<_> = bytes.collect();
    let with = |mode: u16| Meta { mode: veneer::image::tree::Mode(mode), ..root.clone() };
    case.model.inodes.extend([
        (with(0o755), What::File(parts.clone())),
        (Meta { uid: 5, gid: 6, ..with(0o4711) }, What::File(parts)),
        (with(0o777), What::Special(Special::Symlink(b"/sbin/vm-agent".as_slice().into()))),
    ]);
    let names = &mut case.model.root;
    let put =
        |directory: &mut Directory, name: &str, entry| drop(directory.entries.insert(name.as_bytes().into(), entry));
    put(below(names, &["usr", "sbin"]), "vm-agent", inode(6));
    put(below(names, &["usr", "bin"]), "agent", inode(8));
    put(names, "srv", Entry::Directory(directory(with(0o1777), vec![])));
    let er = directory(with(0o755), vec![(b"copy", inode(7))]);
    put(below(names, &["etc"]), "deep", Entry::Directory(directory(with(0o755), vec![(b"er", Entry::Directory(er))])));
    Mounted::new("erofs", &case.path("out.raw"), "ro").compare(&case.model, &[]);
}

#[test]
fn the_second_run_does_nothing() {
    let case = Case::new();
    let (agent, out) = (case.file("agent", program(X86_64, None, &[])), case.shown("out"));
    let words = ["--agent", &agent, "--output", &out];
    case.inject_well("base.raw", &words);
    let identity = |name: &str| std::fs::metadata(case.path(name)).expect("stat").ino();
    let first = (identity("out.raw"), identity("out.verity"), std::fs::read(case.path("out.roothash")).expect("read"));
    // The same again, and the agent into the image that has it.
    let again = case.inject_well("base.raw", &words);
    assert!(again.complained.contains("the output is there already, made from the same"), "{}", again.complained);
    let into_itself = case.inject_well("out.raw", &words);
    assert!(into_itself.complained.contains("out.raw has everything already"), "{}", into_itself.complained);
    let second = (identity("out.raw"), identity("out.verity"), std::fs::read(case.path("out.roothash")).expect("read"));
    assert_eq!(first, second);
    // Elsewhere, it is the same image.
    let elsewhere = case.shown("elsewhere");
    case.inject_well("base.raw", &["--agent", &agent, "--output", &elsewhere]);
    assert!(
        std::fs::read(case.path("elsewhere.raw")).expect("read") == std::fs::read(case.path("out.raw")).expect("read")
    );
}

#[test]
fn an_image_takes_its_own_place_and_loses_its_signature() {
    let case = Case::new();
    let out = case.shown("out");
    let old = case.file("old", program(X86_64, None, &[]));
    case.inject_well("base.raw", &["--agent", &old, "--output", &out]);
    case.file("out.roothash.p7s", "signature");
    let new = case.file("new", [program(X86_64, None, &[]), vec![1]].concat());
    let refused = case.inject("out.raw", &["--agent", &new, "--output", &out]);
    assert_eq!(refused.code, Some(65));
    assert_eq!(
        refused.complained,
        "veneer-inject: /sbin/vm-agent: another file is there (--replace puts this in its place)\n"
    );
    assert!(case.path("out.roothash.p7s").exists());
    let done = case.inject_well("out.raw", &["--agent", &new, "--output", &out, "--replace"]);
    assert_eq!(done.said, "put new at /sbin/vm-agent, in the place of what is there (which is /usr/sbin/vm-agent)\n");
    verify(&case, "out");
    assert!(!case.path("out.roothash.p7s").exists());
    assert_eq!(case.manifest("out").recipe.injected.len(), 1);
}

#[test]
fn a_dry_run_shows_the_steps_and_changes_nothing() {
    let case = Case::new();
    let agent = case.file("agent", program(X86_64, None, &[]));
    let before = case.names();
    let ended = case.inject_well("base.raw", &["--agent", &agent, "--output", &case.shown("out"), "--dry-run"]);
    assert_eq!(ended.said, "put agent at /sbin/vm-agent (which is /usr/sbin/vm-agent)\n");
    assert_eq!(case.names(), before);
}

#[test]
fn links_lead_nowhere_but_into_the_root() {
    let case = Case::new();
    let file = case.file("file", "content");
    let outside = case.path("escaped");
    let target = |target: &str| format!("[[inject.file]]\nsource = {file:?}\ntarget = {target:?}\n");
    let manifest = case.file("m.toml", target("/etc/out/file"));
    let ended = case.inject_well("base.raw", &["--manifest", &manifest, "--output", &case.shown("out")]);
    assert_eq!(ended.said, "put file at /etc/out/file (which is /escaped/file)\n");
    assert!(!outside.exists() && !Path::new("/escaped").exists());
    // A link that has the very name is no way through.
    for (name, said) in [
        ("/etc/out", "/etc/out: a link is there (--replace puts this in its place)"),
        ("/usr", "/usr: a directory is there, which is never replaced"),
        ("/loop/file", "/loop/file: more than 40 links are on the way"),
        ("/etc/large/file", "/etc/large/file: large is no directory"),
    ] {
        let manifest = case.file("m.toml", target(name));
        let ended = case.inject("base.raw", &["--manifest", &manifest, "--output", &case.shown("other")]);
        assert_eq!((ended.code, ended.complained), (Some(65), format!("veneer-inject: {said}\n")));
    }
    assert!(!case.names().iter().any(|name| name.contains("other")), "{:?}", case.names());
}

#[test]
fn what_an_agent_lacks_is_said() {
    let case = Case::new();
    for (agent, said) in [
        (program(X86_64, Some(LOADER), &["libc.so.6"]), &[][..]),
        (
            program(X86_64, Some("/lib/ld-musl-x86_64.so.1"), &["libssl.so.3", "libc.so.6"]),
            &["its interpreter /lib/ld-musl-x86_64.so.1 is not there", "its library libssl.so.3 is not there"],
        ),
        (program(AARCH64, None, &[]), &["it is for AArch64, 64 bits, and the image's /bin/sh is for x86-64, 64 bits"]),
        (b"#!/bin/sh\ntrue\n".to_vec(), &[]),
        (b"#! /usr/bin/python3 -u\n".to_vec(), &["its interpreter /usr/bin/python3 is not there"]),
        (b"#!/bin/sh".to_vec(), &[]),
        (b"#!sh\n".to_vec(), &["its interpreter sh is no absolute path"]),
        (b"text\n".to_vec(), &["it is neither an ELF program nor a script that begins with #!"]),
        (vec![], &["it is neither an ELF program nor a script that begins with #!"]),
    ] {
        let file = case.file("agent", agent);
        let ended = case.inject("base.raw", &["--agent", &file, "--dry-run"]);
        let lines = said.iter().map(|why| format!("veneer-inject: agent cannot run in this image: {why}\n"));
        assert_eq!(ended.complained, lines.collect::<String>());
        assert_eq!(ended.code, Some(if said.is_empty() { 0 } else { 65 }));
    }
}

#[test]
fn an_agent_may_bring_its_libraries() {
    let case = Case::new();
    let agent = case.file("agent", program(X86_64, Some(LOADER), &["libown.so", "libc.so.6"]));
    let library = case.file("library", program(X86_64, None, &[]));
    let foreign = case.file("foreign", program(AARCH64, None, &[]));
    let with = |source: &str, target: &str| {
        let text = format!("[[inject.file]]\nsource = {source:?}\ntarget = {target:?}\n");
        let manifest = case.file("m.toml", text);
        case.inject("base.raw", &["--agent", &agent, "--manifest", &manifest, "--dry-run"]).code
    };
    assert_eq!(with(&library, "/usr/lib/x86_64-linux-gnu/libown.so"), Some(0));
    assert_eq!(with(&library, "/lib64/libown.so"), Some(0));
    assert_eq!(with(&library, "/opt/libown.so"), Some(65));
    assert_eq!(with(&foreign, "/lib64/libown.so"), Some(65));
}

#[test]
fn directories_keep_what_is_in_them() {
    let case = Case::new();
    let manifest = |mode: &str| {
        let text = format!("[[inject.directory]]\ntarget = \"/etc\"\n{mode}");
        case.file("m.toml", text)
    };
    let inject = |mode: &str, words: &[&str]| {
        let (manifest, out) = (manifest(mode), case.shown("out"));
        case.inject("base.raw", &[&["--manifest", &manifest, "--output", &out], words].concat())
    };
    assert_eq!(inject("", &["--dry-run"]).said, "keep /etc: it is as it should be\n");
    assert_eq!(inject("mode = \"0755\"", &["--dry-run"]).said, "keep /etc: it is as it should be\n");
    let refused = inject("mode = \"0700\"", &[]);
    assert_eq!(
        (refused.code, &*refused.complained),
        (
            Some(65),
            "veneer-inject: /etc: a directory with another owner or other permissions is there \
             (--replace puts this in its place)\n"
        )
    );
    let done = inject("mode = \"0700\"\nuid = 3", &["--replace"]);
    assert_eq!(done.said, "give /etc the owner and the permissions that are asked for\n", "{}", done.complained);
    if may_mount() {
        let mounted = Mounted::new("erofs", &case.path("out.raw"), "ro");
        let found = std::fs::metadata(mounted.path().join("etc")).expect("stat");
        assert_eq!((found.mode() & 0o7777, found.uid(), found.mtime()), (0o700, 3, EPOCH.seconds));
        assert!(mounted.path().join("etc/large").exists());
    }
}

#[test]
fn mistakes_in_a_manifest_are_told_with_their_place() {
    let case = Case::new();
    let manifest = case.file("m.toml", "[inject]\nagnt = \"/a\"\n");
    let ended = case.inject("base.raw", &["--manifest", &manifest, "--dry-run"]);
    assert_eq!(ended.code, Some(78));
    assert_eq!(
        ended.complained,
        "veneer-inject: m.toml:2:1: inject.agnt: there is no such key: did you mean \"agent\"?\n"
    );
}

#[test]
fn a_run_that_is_ended_leaves_nothing() {
    let case = Case::new();
    // Long enough to be met.
    let large = case.file("large", vec![1; 64 << 20]);
    let manifest = case.file("m.toml", format!("[[inject.file]]\nsource = {large:?}\ntarget = \"/large\"\n"));
    let before = case.names();
    for wait in [20, 100, 250, 400] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_veneer-inject"))
            .arg(case.path("base.raw"))
            .args(["--manifest", &manifest, "--output", &case.shown("out")])
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("started");
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("told");
        let status = child.wait().expect("ended");
        if status.success() {
            // A faster machine than any that was seen.
            break;
        }
        // Before it listens for signals it simply dies of them.
        assert!(status.code() == Some(143) || status.signal() == Some(15), "{status}");
        assert_eq!(case.names(), before);
    }
}

#[test]
fn images_that_are_not_read_are_named_with_what_to_do() {
    let case = Case::new();
    let (agent, out) = (case.file("agent", "#!/bin/sh\n"), case.shown("out"));
    let said = |image: &str| case.inject(image, &["--agent", &agent, "--output", &out]);
    case.file("text.raw", "text");
    let text = said("text.raw");
    assert_eq!(text.complained, "veneer-inject: text.raw: it is neither an EROFS nor an ext4 image\n");
    assert_eq!((text.code, said("missing.raw").code), (Some(65), Some(66)));
}

#[test]
fn an_ext4_image_stays_one_with_its_size_its_journal_and_all_that_was_in_it() {
    let mut case = Case::new();
    let (agent, more) = (case.file("agent", "#!/bin/sh\n"), case.file("more", "#!/bin/sh\ntrue\n"));
    let (sized, out) = (case.shown("sized"), case.shown("out"));
    let wanted = ["--agent", &agent, "--output", &sized, "--size", "40M", "--format", "ext4"];
    // An EROFS image does not become another one by the way.
    assert_eq!(case.inject("base.raw", &wanted[..6]).code, Some(64));
    case.inject_well("base.raw", &wanted);
    let ended = case.inject_well("sized.raw", &["--agent", &more, "--output", &out, "--replace"]);
    assert_eq!(ended.said, "put more at /sbin/vm-agent, in the place of what is there (which is /usr/sbin/vm-agent)\n");
    run("e2fsck", &["-fn", &case.shown("out.raw")].map(OsStr::new));
    verify(&case, "out");
    assert_eq!(std::fs::metadata(case.path("out.raw")).expect("stat").len(), 40 << 20);
    let recipe = case.manifest("out").recipe;
    assert_eq!((recipe.format.as_str(), recipe.injected.len()), ("ext4", 1));
    assert_eq!(recipe.options.get("journal").map(String::as_str), Some("by-size"));
    // Once more is nothing, and what does not find room makes it larger.
    assert!(case.inject_well("out.raw", &["--agent", &more, "--output", &out]).complained.contains("already"));
    let large = case.file("large", [b"#!/bin/sh\n".to_vec(), vec![b'#'; 50 << 20]].concat());
    case.inject_well("out.raw", &["--agent", &large, "--output", &case.shown("larger"), "--replace"]);
    assert!(std::fs::metadata(case.path("larger.raw")).expect("stat").len() > 50 << 20);
    // And back: the same as if there had never been an ext4 image, but for the file system's own directory.
    case.inject_well("out.raw", &["--agent", &more, "--output", &case.shown("back"), "--format", "erofs"]);
    if !may_mount() {
        return;
    }
    case.model.inodes.push((Meta { mode: veneer::image::tree::Mode(0o755), ..Meta::default() }, What::File(vec![])));
    let names = &mut case.model.root;
    let sbin = below(names, &["usr", "sbin"]);
    sbin.entries.insert(b"vm-agent".as_slice().into(), inode(6));
    let script = b"#!/bin/sh\ntrue\n";
    let part = |(at, byte): (usize, &u8)| Part::Data(byte.wrapping_sub((at % 251) as u8), 1);
    case.model.inodes[6].1 = What::File(script.iter().enumerate().map(part).collect());
    Mounted::new("ext4", &case.path("out.raw"), "ro,noload").compare(&case.model, &["lost+found"]);
    Mounted::new("erofs", &case.path("back.raw"), "ro").compare(&case.model, &["lost+found"]);
}

#[test]
fn a_layer_is_small_and_laid_over_its_base_it_is_the_whole() {
    let case = Case::new();
    let (agent, layer) = (case.file("agent", program(X86_64, None, &[])), case.shown("layer"));
    let ended = case.inject_well("base.raw", &["--agent", &agent, "--layer", "--output", &layer]);
    assert_eq!(ended.said, "put agent at /sbin/vm-agent (which is /usr/sbin/vm-agent)\n");
    verify(&case, "layer");
    assert!(std::fs::metadata(case.path("layer.raw")).expect("stat").len() <= 16 << 10);
    let again = case.inject_well("base.raw", &["--agent", &agent, "--layer", "--output", &layer]);
    assert!(again.complained.contains("there already, made from the same"), "{}", again.complained);
    let own = case.inject("base.raw", &["--agent", &agent, "--layer", "--output", &case.shown("base")]);
    assert_eq!(own.code, Some(64), "{}", own.complained);
    case.inject_well("base.raw", &["--agent", &agent, "--output", &case.shown("whole")]);
    let nothing = case.inject_well("whole.raw", &["--agent", &agent, "--layer", "--output", &case.shown("none")]);
    assert!(nothing.complained.contains("has everything already") && !case.path("none.raw").exists());
    if !may_mount() {
        return;
    }
    let (base, upper) =
        (Mounted::new("erofs", &case.path("base.raw"), "ro"), Mounted::new("erofs", &case.path("layer.raw"), "ro"));
    let over = tempfile::tempdir().expect("temporary directory");
    let options = format!("ro,lowerdir={}:{}", upper.path().display(), base.path().display());
    run("mount", &["-t", "overlay", "-o", &options, "overlay", over.path().to_str().expect("text")].map(OsStr::new));
    let tree = |path: &Path| {
        let words = ["-c", "find . -printf '%P %y %m %U %G %l\\n' | LC_ALL=C sort"].map(OsStr::new);
        let found = Command::new("sh").args(words).current_dir(path).output().expect("started");
        String::from_utf8(found.stdout).expect("text")
    };
    let whole = Mounted::new("erofs", &case.path("whole.raw"), "ro");
    let (laid, wanted) = (tree(over.path()), tree(whole.path()));
    run("umount", &[over.path().as_os_str()]);
    assert_eq!(laid, wanted);
}

#[test]
fn a_root_that_a_machine_starts_from_has_an_init_that_can_run() {
    let case = Case::new();
    let (agent, out) = (case.file("agent", program(X86_64, None, &[])), case.shown("out"));
    let ended = case.inject_well("base.raw", &["--agent", &agent, "--bootable", "--output", &out]);
    assert_eq!(
        ended.said,
        "put agent at /sbin/vm-agent (which is /usr/sbin/vm-agent)\nput an empty file at /etc/machine-id\n\
         put an empty file at /etc/resolv.conf\nput a link to vm-agent at /sbin/init (which is /usr/sbin/init)\n"
    );
    let again = case.inject_well("out.raw", &["--agent", &agent, "--bootable", "--output", &out]);
    assert!(again.complained.contains("has everything already"), "{}", again.complained);
    let none = case.inject("base.raw", &["--bootable", "--output", &case.shown("none")]);
    assert_eq!(none.code, Some(65));
    assert!(none.complained.contains("no virtual machine could start from it"), "{}", none.complained);
    let manifest = case.file("m.toml", format!("[[inject.file]]\nsource = {agent:?}\ntarget = \"/sbin/init\"\n"));
    let plain = case.inject("base.raw", &["--bootable", "--manifest", &manifest, "--output", &case.shown("none")]);
    assert_eq!(plain.complained, "veneer-inject: /sbin/init cannot run in this image: it is not executable\n");
}

#[test]
fn an_image_that_is_not_what_its_root_hash_says_is_refused() {
    let case = Case::new();
    let (agent, out) = (case.file("agent", "#!/bin/sh\n"), case.shown("out"));
    case.inject_well("base.raw", &["--agent", &agent, "--output", &out]);
    let mut bytes = std::fs::read(case.path("out.raw")).expect("read");
    bytes[4096 + 100] ^= 1;
    case.file("out.raw", bytes);
    let ended = case.inject("out.raw", &["--agent", &agent, "--output", &case.shown("other")]);
    assert_eq!(ended.code, Some(65), "{}", ended.complained);
    assert!(!case.path("other.raw").exists());
}
