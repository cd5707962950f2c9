//! A directory with an image in it, `veneer-inject` run there, and what it said.
//! It asserts nothing but that what must work does.

use crate::images::model::{EPOCH, Model, Part, What, directory, meta, xattr};
use crate::images::mounted::run;
use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use veneer::image::erofs::{EqualFiles, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::manifest::Manifest;
use veneer::image::tree::{Directory, Entry, InodeId, Meta, Special};

/// An ELF program for a machine, with an interpreter and libraries: as much of one as a loader looks at.
pub(crate) fn program(machine: u16, interpreter: Option<&str>, needed: &[&str]) -> Vec<u8> {
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

pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;
pub(crate) const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A directory with an image in it, made like a small distribution's.
pub(crate) struct Case {
    dir: tempfile::TempDir,
    pub(crate) model: Model,
}

pub(crate) fn inode(id: u32) -> Entry {
    Entry::Inode(InodeId(id))
}

pub(crate) fn link(target: &str) -> (Meta, What) {
    (meta(0o777), What::Special(Special::Symlink(target.as_bytes().into())))
}

pub(crate) fn dir(entries: Vec<(&[u8], Entry)>) -> Entry {
    Entry::Directory(directory(meta(0o755), entries))
}

pub(crate) fn model(shell: &[u8]) -> Model {
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
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    pub(crate) complained: String,
}

impl Case {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let model = model(&program(X86_64, None, &[]));
        let case = Self { dir, model };
        let file = File::options().read(true).write(true).create_new(true).open(case.path("base.raw"));
        let options = Options { seed: Seed([5; 32]), epoch: EPOCH, equal: EqualFiles::Apart };
        case.model.write(Writer::new(file.expect("created"), options).expect("writer")).expect("written");
        case
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).expect("written");
        self.shown(name)
    }

    pub(crate) fn shown(&self, name: &str) -> String {
        self.path(name).to_str().expect("text").to_owned()
    }

    pub(crate) fn inject(&self, image: &str, words: &[&str]) -> Ended {
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
    pub(crate) fn inject_well(&self, image: &str, words: &[&str]) -> Ended {
        let ended = self.inject(image, words);
        assert_eq!(ended.code, Some(0), "{}{}", ended.said, ended.complained);
        ended
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.dir.path()).expect("listed");
        let mut names: Vec<_> =
            names.map(|name| name.expect("listed").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    pub(crate) fn manifest(&self, name: &str) -> Manifest {
        let text = std::fs::read(self.path(&format!("{name}.manifest.json"))).expect("manifest");
        serde_json::from_slice(&text).expect("manifest")
    }
}

pub(crate) fn verify(case: &Case, name: &str) {
    let root = std::fs::read_to_string(case.path(&format!("{name}.roothash"))).expect("root hash");
    let (image, tree) = (case.path(&format!("{name}.raw")), case.path(&format!("{name}.verity")));
    run("veritysetup", &[OsStr::new("verify"), image.as_os_str(), tree.as_os_str(), OsStr::new(root.trim())]);
}

pub(crate) fn below<'a>(directory: &'a mut Directory, path: &[&str]) -> &'a mut Directory {
    path.iter().fold(directory, |directory, name| match directory.entries.get_mut(name.as_bytes()) {
        Some(Entry::Directory(below)) => below,
        other => panic!("{name} is {other:?}"),
    })
}
