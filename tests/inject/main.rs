//! `veneer-inject` on images of many kinds: what it puts in, what it leaves, what it refuses and says.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod case;
#[path = "../images/mod.rs"]
mod images;
mod kinds;

use case::*;
use images::model::{EPOCH, Part, What, directory};
use images::mounted::{Mounted, may_mount, run};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use veneer::image::tree::{Directory, Entry, Meta, Special};

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
