//! Roots that a virtual machine starts from: what is made of them, and what is refused before there is an image.

use super::builder::{Header, Tar};
use super::{ALL, command, convert, names, said};
use std::fs;

/// A tar with a shell of its own, and the source that it is.
fn source(dir: &std::path::Path, tar: Tar) -> String {
    let path = dir.join("root.tar");
    fs::write(&path, tar.end()).expect("written");
    format!("tar:{}", path.display())
}

#[test]
fn what_could_not_start_is_refused_before_it_is_an_image() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("out");
    fs::create_dir(&out).expect("made");
    let with_shell = source(dir.path(), Tar::new().dir(b"bin").file(b"bin/sh", b"#!/bin/sh\n"));
    let agent = dir.path().join("agent");
    let inject = format!("--inject={}:/sbin/vm-agent", agent.display());
    let refused = |more: &[&str]| {
        let ended = command(&with_shell, &out.join("x"), more).output().expect("started");
        assert_eq!((ended.status.code(), names(&out)), (Some(65), vec![]), "{}", said(&ended));
        said(&ended)
    };
    let nothing = refused(&["--bootable", "--format=ext4"]);
    assert!(nothing.contains("no virtual machine could start from it"), "{nothing}");
    // Whether it is to boot or not: an agent that cannot run is a mistake.
    for (content, why) in [
        (&b"text"[..], "/sbin/vm-agent cannot run in this image: it is neither an ELF program nor a script"),
        (
            b"#!/usr/bin/python3\n",
            "/sbin/vm-agent cannot run in this image: its interpreter /usr/bin/python3 is not there",
        ),
    ] {
        fs::write(&agent, content).expect("written");
        for more in [&[inject.as_str()][..], &[&inject, "--format=ext4", "--bootable"]] {
            let said = refused(more);
            assert!(said.contains(why), "{said}");
        }
    }
}

#[test]
fn a_script_for_the_images_own_shell_is_its_agent_and_its_init() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("out");
    fs::create_dir(&out).expect("made");
    // A script wants its interpreter to be there and executable; what that needs is the image's business.
    let mut header = Header::new(b'0', b"bin/sh", 4);
    header.octal(100, 8, 0o755);
    let source = source(dir.path(), Tar::new().dir(b"bin").entry(&header, b"\x7fELF"));
    let agent = dir.path().join("agent");
    fs::write(&agent, "#!/bin/sh\necho ready\n").expect("written");
    let inject = format!("--inject={}:/sbin/vm-agent", agent.display());
    for format in ["--format=ext4", "--format=erofs"] {
        convert(&source, &out.join("x"), &[&inject, format, "--bootable"]);
        assert_eq!(names(&out), ALL);
    }
}
