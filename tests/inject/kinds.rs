//! Images of other kinds, and runs that end early: ext4, layers, roots of machines.

use crate::case::*;
use crate::images::model::{Part, What};
use crate::images::mounted::{Mounted, may_mount, run};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use veneer::image::tree::Meta;

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
