//! What each odd thing in layers comes to, one case each.

use crate::builder::{Header, Tar, record};
use crate::collect::{Bytes, Inode, listed, merged};
use veneer::image::tree::{Device, Special, Time};
use veneer::inject::Given;
use veneer::layer::digest::Digest;
use veneer::layer::entry::{Again, Layer};
use veneer::layer::pipeline::Threads;
use veneer::merge::{Boot, Existing, Injected, Injection, Injections, MountPoints, Request, merge};

/// Layers, the lowest first, and the names that come out; `/` alone is left away where nobody names it.
fn check(title: &str, layers: &[Tar], wanted: &str) {
    let layers: Vec<Vec<u8>> = layers.iter().map(|tar| tar.clone().end()).collect();
    let listing = listed(&layers).unwrap_or_else(|error| format!("error: {error}"));
    let listing = listing.strip_prefix("/ dir 755\n").unwrap_or(&listing).trim_end().replace('\n', " | ");
    assert_eq!(listing, wanted, "{title}");
}

fn t() -> Tar {
    Tar::new()
}

#[test]
fn whiteouts_act_on_the_layers_below_alone() {
    let base = t().dir(b"d").file(b"d/a", b"1").file(b"d/b", b"2").file(b"f", b"3");
    check("a file", &[base.clone(), t().file(b"d/.wh.a", b"")], "/d dir 755 | /d/b file 2 | /f file 3");
    check("a directory", &[base.clone(), t().file(b".wh.d", b"")], "/f file 3");
    check(
        "nothing of the name",
        &[base.clone(), t().file(b"x/y/.wh.z", b"")],
        "/d dir 755 | /d/a file 1 | /d/b file 2 | /f file 3",
    );
    check(
        "below a file",
        &[base.clone(), t().file(b"f/.wh.z", b"")],
        "/d dir 755 | /d/a file 1 | /d/b file 2 | /f file 3",
    );
    check("opaque", &[base.clone(), t().file(b"d/.wh..wh..opq", b"")], "/d dir 755 | /f file 3");
    check("opaque root", &[base.clone(), t().file(b".wh..wh..opq", b"").file(b"n", b"4")], "/n file 4");
    let after =
        t().dir_mode(b"d", 0o700).file(b"d/n", b"4").file(b"d/.wh..wh..opq", b"").file(b".wh.f", b"").file(b"f", b"5");
    check("behind what it might hide", &[base.clone(), after], "/d dir 700 | /d/n file 4 | /f file 5");
    let both = t().file(b"f", b"5").file(b".wh.f", b"");
    check(
        "in one layer, the whiteout last",
        &[base.clone(), both.clone()],
        "/d dir 755 | /d/a file 1 | /d/b file 2 | /f file 5",
    );
    check("in the only layer", &[both], "/f file 5");
    let beside = t().dir_mode(b"d", 0o711).file(b"d/n", b"4").file(b".wh.d", b"");
    check(".wh.dir beside dir/", &[base.clone(), beside], "/d dir 711 | /d/n file 4 | /f file 3");
    let again = [base.clone(), t().file(b".wh.d", b""), t().dir(b"d").file(b"d/c", b"9")];
    check("and again above", &again, "/d dir 755 | /d/c file 9 | /f file 3");
    check(
        "AUFS's files",
        &[base, t().dir(b".wh..wh.plnk").file(b".wh..wh.aufs", b""), t().file(b".wh.d", b"")],
        "/f file 3",
    );
}

#[test]
fn what_comes_later_in_a_layer_holds() {
    check("a file twice", &[t().file(b"a", b"1").file(b"a", b"2")], "/a file 2");
    check("a directory twice", &[t().dir(b"d").file(b"d/a", b"1").dir_mode(b"d", 0o700)], "/d dir 700 | /d/a file 1");
    check("a file over a directory", &[t().dir(b"d").file(b"d/a", b"1").file(b"d", b"2")], "/d file 2");
    check("a directory over a file", &[t().file(b"d", b"2").dir(b"d").file(b"d/a", b"1")], "/d dir 755 | /d/a file 1");
    check("a file under a file", &[t().file(b"d", b"2").file(b"d/a", b"1")], "error: layer: /d/a: d is no directory");
    check("the root's own inode", &[t().dir_mode(b"./", 0o711).file(b"a", b"1")], "/ dir 711 | /a file 1");
}

#[test]
fn kinds_replace_each_other_across_layers() {
    let dir = t().dir(b"d").file(b"d/a", b"1");
    check("a file over a directory", &[dir.clone(), t().file(b"d", b"2")], "/d file 2");
    check("a directory over a file", &[t().file(b"d", b"2"), dir.clone()], "/d dir 755 | /d/a file 1");
    check(
        "a directory over a link",
        &[t().dir(b"x").file(b"x/b", b"3").symlink(b"d", b"x"), dir.clone()],
        "/d dir 755 | /d/a file 1 | /x dir 755 | /x/b file 3",
    );
    check("a link over a directory", &[dir.clone(), t().symlink(b"d", b"x")], "/d -> x");
    check("and back, nothing shines through", &[dir.clone(), t().symlink(b"d", b"x"), t().dir(b"d")], "/d dir 755");
    check(
        "a directory's own inode from the topmost",
        &[dir.clone(), t().dir_mode(b"d", 0o700), t().file(b"d/b", b"2")],
        "/d dir 700 | /d/a file 1 | /d/b file 2",
    );
    check("missing parents", &[t().file(b"x/y/z", b"1")], "/x dir 755 | /x/y dir 755 | /x/y/z file 1");
}

#[test]
fn names_through_links_stay_inside_the_root() {
    let base = t().dir(b"usr").dir(b"usr/lib").file(b"usr/lib/a", b"1").symlink(b"lib", b"usr/lib");
    check(
        "a file",
        &[base.clone(), t().file(b"lib/b", b"2")],
        "/lib -> usr/lib | /usr dir 755 | /usr/lib dir 755 | /usr/lib/a file 1 | /usr/lib/b file 2",
    );
    check(
        "over one that is there",
        &[base.clone(), t().file(b"lib/a", b"2")],
        "/lib -> usr/lib | /usr dir 755 | /usr/lib dir 755 | /usr/lib/a file 2",
    );
    check(
        "a whiteout",
        &[base.clone(), t().file(b"lib/.wh.a", b"")],
        "/lib -> usr/lib | /usr dir 755 | /usr/lib dir 755",
    );
    check(
        "a later whiteout of the real name",
        &[base.clone(), t().file(b"lib/a", b"2"), t().file(b"usr/lib/.wh.a", b"")],
        "/lib -> usr/lib | /usr dir 755 | /usr/lib dir 755",
    );
    check(
        "an explicit directory replaces the link",
        &[base, t().dir(b"lib").file(b"lib/b", b"2")],
        "/lib dir 755 | /lib/b file 2 | /usr dir 755 | /usr/lib dir 755 | /usr/lib/a file 1",
    );
    check(
        "out of the root",
        &[t().symlink(b"l", b"../../../tmp"), t().file(b"l/a", b"1")],
        "/l -> ../../../tmp | /tmp dir 755 | /tmp/a file 1",
    );
    check(
        "absolute",
        &[t().symlink(b"l", b"/etc").file(b"l/passwd", b"1")],
        "/etc dir 755 | /etc/passwd file 1 | /l -> /etc",
    );
    check(
        "in circles",
        &[t().symlink(b"a", b"b").symlink(b"b", b"a").file(b"a/x", b"1")],
        "error: layer: /a/x: more than 40 links are on the way",
    );
    check(
        "the link below, the name above it",
        &[
            t().symlink(b"a", b"c").dir(b"c").file(b"c/x", b"0"),
            t().file(b"a/x", b"1"),
            t().dir(b"c").file(b"c/y", b"2"),
        ],
        "/a -> c | /c dir 755 | /c/x file 1 | /c/y file 2",
    );
}

#[test]
fn hard_links_find_their_target_in_any_layer() {
    let base = t().file(b"a", b"1").hard(b"b", b"a");
    check("within a layer", std::slice::from_ref(&base), "/a file 1 | /b = /a");
    check("chains", &[base.clone().hard(b"c", b"b")], "/a file 1 | /b = /a | /c = /a");
    check("to a layer below", &[t().file(b"a", b"1"), t().hard(b"c", b"./a")], "/a file 1 | /c = /a");
    check("to a name hidden above", &[base.clone(), t().file(b".wh.a", b"")], "/b file 1");
    check("to a name replaced above", &[base.clone(), t().file(b"a", b"2")], "/a file 2 | /b file 1");
    check(
        "to a name that two layers hide",
        &[t().file(b"a", b"1"), t().hard(b"c", b"a"), t().file(b"a", b"2"), t().file(b".wh.a", b"")],
        "/c file 1",
    );
    check("to a symlink, which is not followed", &[t().symlink(b"l", b"a").hard(b"m", b"l")], "/l -> a | /m = /l");
    check(
        "through a symlink",
        &[t().dir(b"d").file(b"d/a", b"1").symlink(b"l", b"d").hard(b"x", b"l/a")],
        "/d dir 755 | /d/a file 1 | /l -> d | /x = /d/a",
    );
    check(
        "to a device",
        &[t().special(b'3', b"n", 1, 3).hard(b"m", b"n")],
        "/m Character(Device { major: 1, minor: 3 }) | /n = /m",
    );
    check("to itself, as GNU tar writes it", &[t().file(b"a", b"1").hard(b"a", b"a")], "/a file 1");
    check(
        "to a directory",
        &[t().dir(b"d").hard(b"x", b"d")],
        "error: layer: /x: it is a hard link to /d, a directory",
    );
    check("to nothing", &[t().hard(b"x", b"y")], "error: layer: /x: it is a hard link to /y, which is not there");
    check(
        "forwards",
        &[t().hard(b"x", b"y").file(b"y", b"1")],
        "error: layer: /x: it is a hard link to /y, which is not there",
    );
    check(
        "in circles",
        &[t().hard(b"x", b"y").hard(b"y", b"x")],
        "error: layer: /x: it is a hard link to /y, which is not there",
    );
    check(
        "to what its own layer takes away",
        &[t().file(b"a", b"1"), t().hard(b"x", b"a").file(b".wh.a", b"")],
        "error: layer: /x: it is a hard link to /a, which is not there",
    );
}

#[test]
fn bytes_are_read_again_only_where_a_hidden_file_has_another_name() {
    let base = Bytes::new(t().file(b"a", b"1").hard(b"b", b"a").end());
    let above = Bytes::new(t().file(b"a", b"2").end());
    let read_again = |layers: &[Bytes]| merged(layers).expect("good").1.read_again;
    assert_eq!(read_again(&[above.clone(), base.clone()]), 1);
    assert_eq!(read_again(&[above.clone(), Bytes { again: Again::Impossible, ..base.clone() }]), 0);
    assert_eq!(read_again(&[base]), 0);
    let (collected, summary) = merged(&[above, Bytes::new(t().file(b"a", b"1").end())]).expect("good");
    assert_eq!((collected.inodes.len(), summary.files, summary.read_again), (1, 1, 0));
}

#[test]
fn everything_an_inode_has_comes_through() {
    let mut header = Header::new(b'0', b"f", 1);
    header.octal(100, 8, 0o104_755).put(108, &[0x80, 0, 0, 0, 0x12, 0x34, 0x56, 0x78]);
    let tar = t()
        .pax(&[
            record(b"mtime", b"-1.25"),
            record(b"gid", b"4294967294"),
            record(b"SCHILY.xattr.user.\xff", b"a\nb"),
            record(b"LIBARCHIVE.xattr.security.capability", b"AQI="),
            record(b"SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ])
        .entry(&header, b"x")
        .special(b'4', b"b", 8, 1)
        .special(b'6', b"p", 0, 0);
    let (collected, _) = merged(&[Bytes::new(tar.end())]).expect("good");
    let Inode::File(meta, 1, _) = &collected.inodes[0] else { panic!("a file") };
    assert_eq!((meta.mode.0, meta.uid, meta.gid), (0o4755, 0x1234_5678, 4_294_967_294));
    assert_eq!(meta.mtime, Time { seconds: -2, nanoseconds: 750_000_000 });
    let xattrs: Vec<_> = meta.xattrs.iter().map(|xattr| (&*xattr.name, &*xattr.value)).collect();
    assert_eq!(xattrs, [(&b"security.capability"[..], &[1, 2][..]), (b"user.\xff", b"a\nb")]);
    let specials: Vec<_> = collected.inodes[1..]
        .iter()
        .filter_map(|inode| if let Inode::Special(_, special) = inode { Some(special) } else { None })
        .collect();
    assert_eq!(specials, [&Special::Block(Device { major: 8, minor: 1 }), &Special::Fifo]);
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let name = [&b"d/".repeat(100)[..], b"n"].concat();
    let gnu = |kind, text: &[u8]| {
        (Header::new(kind, b"././@LongLink", text.len() as u64 + 1).gnu().clone(), [text, b"\0"].concat())
    };
    let (long_name, text) = gnu(b'L', &name);
    let (long_link, link) = gnu(b'K', &name);
    let mut symlink = Header::new(b'2', b"cut", 0);
    symlink.gnu().put(157, b"cut");
    let tar = t()
        .entry(&long_name, &text)
        .entry(&Header::new(b'0', b"cut", 1), b"1")
        .entry(&long_link, &link)
        .entry(&symlink, b"");
    let listing = listed(&[tar.end()]).expect("good");
    let shown = String::from_utf8(name.clone()).expect("text");
    assert!(
        listing.contains(&format!("/{shown} file 1\n")) && listing.contains(&format!("/cut -> {shown}\n")),
        "{listing}"
    );
    let listing = listed(&[t().file(&name, b"1").symlink(b"l", &name).end()]).expect("good");
    assert!(
        listing.contains(&format!("/{shown} file 1\n")) && listing.contains(&format!("/l -> {shown}\n")),
        "{listing}"
    );
}

/// A sparse file of 12 bytes, `..ab....cd..`, in each of the four forms.
#[test]
fn sparse_files_of_all_forms_are_the_same() {
    let wanted = b"\0\0ab\0\0\0\0cd\0\0";
    let mut old = Header::new(b'S', b"s", 4);
    old.gnu().octal(386, 12, 2).octal(398, 12, 2).octal(410, 12, 8).octal(422, 12, 2).octal(483, 12, 12);
    let sparse = |key: &str, value: &[u8]| record(format!("GNU.sparse.{key}").as_bytes(), value);
    let zero = [
        sparse("size", b"12"),
        sparse("numblocks", b"2"),
        sparse("offset", b"2"),
        sparse("numbytes", b"2"),
        sparse("offset", b"8"),
        sparse("numbytes", b"2"),
    ];
    let one = [sparse("size", b"12"), sparse("map", b"2,2,8,2"), sparse("name", b"s")];
    let two = [sparse("major", b"1"), sparse("minor", b"0"), sparse("realsize", b"12"), sparse("name", b"s")];
    let mut map = b"2\n2\n2\n8\n2\n".to_vec();
    map.resize(512, 0);
    let data = [&map[..], b"abcd"].concat();
    let forms = [
        t().entry(&old, b"abcd"),
        t().pax(&zero).file(b"s", b"abcd"),
        t().pax(&one).file(b"GNUSparseFile.0/s", b"abcd"),
        t().pax(&two).file(b"GNUSparseFile.0/s", &data),
    ];
    for (index, form) in forms.into_iter().enumerate() {
        let (collected, _) = merged(&[Bytes::new(form.file(b"t", b"next").end())]).expect("good");
        let Inode::File(_, 12, bytes) = &collected.inodes[0] else { panic!("form {index}") };
        assert_eq!(bytes, wanted, "form {index}");
        assert!(collected.listing().ends_with("/t file next\n"), "form {index}");
    }
}

#[test]
fn threads_and_compression_change_nothing() {
    let big: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7 % 251) as u8).collect();
    let tar = t().file(b"big", &big).dir(b"d").file(b"d/x", b"1").hard(b"d/y", b"big").end();
    let calls = |bytes: Vec<u8>, threads| {
        let diff_id = Some(Digest::of(&tar));
        merged(&[Bytes { threads, diff_id, ..Bytes::new(bytes) }]).expect("good").0.calls
    };
    let wanted = calls(tar.clone(), Threads::One);
    for bytes in [tar.clone(), zstd::encode_all(&*tar, 1).expect("in memory")] {
        assert_eq!(calls(bytes.clone(), Threads::One), wanted);
        assert_eq!(calls(bytes, Threads::More), wanted);
    }
}

fn injected(
    existing: Existing,
    injections: Vec<Injection>,
    mount_points: MountPoints,
    base: Tar,
) -> Result<String, String> {
    let (base, injections) = (Bytes::new(base.end()), Injections(injections));
    let (injected, limits) = (Some((&injections as &dyn Layer, existing)), base.limits);
    let request = Request { layers: vec![&base], injected, mount_points, boot: Boot::Left, limits };
    let merged = merge(&request, crate::collect::Collector::default(), &mut || ());
    merged.map(|(collected, _)| collected.listing()).map_err(|error| error.to_string())
}

fn agent(target: &[u8]) -> Vec<Injection> {
    let target = veneer::layer::path::LayerPath::parse(target).expect("good");
    let meta = veneer::image::tree::Meta { mode: veneer::image::tree::Mode(0o755), ..Default::default() };
    vec![Injection { target, what: Injected::File(Box::new(b"agent".to_vec())), meta }]
}

#[test]
fn what_is_injected_lies_over_everything_and_follows_links_inside() {
    let base = t().dir(b"usr").dir(b"usr/sbin").symlink(b"sbin", b"usr/sbin").file(b"usr/sbin/old", b"1");
    let listing = injected(Existing::Refused, agent(b"/sbin/vm-agent"), MountPoints::Left, base.clone()).expect("good");
    assert!(listing.contains("/usr/sbin/vm-agent file agent\n"), "{listing}");
    let said =
        injected(Existing::Refused, agent(b"sbin/old"), MountPoints::Left, base.clone()).expect_err("there already");
    assert_eq!(said, "what is injected: /sbin/old: there is something of this name already");
    let listing = injected(Existing::Replaced, agent(b"sbin/old"), MountPoints::Left, base).expect("good");
    assert!(listing.contains("/usr/sbin/old file agent\n"), "{listing}");
}

#[test]
fn a_directory_that_is_there_keeps_what_nobody_said_of_it() {
    let directory = |target: &[u8], mode, given| Injection {
        target: veneer::layer::path::LayerPath::parse(target).expect("good"),
        what: Injected::Directory(given),
        meta: veneer::image::tree::Meta { mode: veneer::image::tree::Mode(mode), ..Default::default() },
    };
    let base = || t().dir(b"tmp").file(b"tmp/a", b"1").file(b"b", b"2");
    let merged = |injections| injected(Existing::Refused, injections, MountPoints::Left, base());
    let plain = merged(vec![]).expect("good");
    assert_eq!(merged(vec![directory(b"tmp", 0o700, Given::Nothing)]).expect("good"), plain);
    let changed = merged(vec![directory(b"tmp", 0o700, Given::Said)]).expect("good");
    assert!(changed != plain && changed.contains("/tmp/a file 1\n"), "{changed}");
    let more = merged(vec![directory(b"srv/d", 0o700, Given::Nothing)]).expect("good");
    assert!(more.contains("/srv/d dir 700\n"), "{more}");
    assert!(merged(vec![directory(b"b", 0o700, Given::Nothing)]).expect_err("a file").contains("already"));
}

/// What a root for a virtual machine comes to.
fn bootable(injections: Vec<Injection>, base: Tar) -> Result<String, String> {
    let (base, injections) = (Bytes::new(base.end()), Injections(injections));
    let (injected, limits) = (Some((&injections as &dyn Layer, Existing::Refused)), base.limits);
    let request = Request { layers: vec![&base], injected, mount_points: MountPoints::Left, boot: Boot::Made, limits };
    let merged = merge(&request, crate::collect::Collector::default(), &mut || ());
    merged.map(|(collected, _)| collected.listing()).map_err(|error| error.to_string())
}

#[test]
fn a_root_that_boots_has_an_init_and_says_nothing_of_the_machine_it_was_made_on() {
    let base = || t().dir(b"usr/sbin").symlink(b"sbin", b"usr/sbin").file(b"etc/machine-id", b"0123");
    // Its own init, through links, stays; what is another machine's does not, but a link to whoever sees to it does.
    let own = base().file(b"lib/systemd", b"1").symlink(b"usr/sbin/init", b"../../lib/systemd");
    let listing = bootable(vec![], own.symlink(b"etc/resolv.conf", b"../run/x")).expect("good");
    for line in ["/usr/sbin/init -> ../../lib/systemd", "/etc/machine-id file ", "/etc/resolv.conf -> ../run/x"] {
        assert!(listing.contains(&format!("{line}\n")), "{line}: {listing}");
    }
    // An agent is the init of a root that has none, or one that leads nowhere.
    for base in [base(), base().symlink(b"usr/sbin/init", b"/nowhere")] {
        let listing = bootable(agent(b"/sbin/vm-agent"), base.file(b"etc/resolv.conf", b"host's")).expect("good");
        for line in ["/usr/sbin/init -> vm-agent", "/etc/resolv.conf file "] {
            assert!(listing.contains(&format!("{line}\n")), "{line}: {listing}");
        }
    }
    // What is injected is meant.
    let mut injections = agent(b"/etc/resolv.conf");
    injections.extend(agent(b"/bin/init"));
    let listing = bootable(injections, base()).expect("good");
    assert!(listing.contains("/etc/resolv.conf file agent\n") && !listing.contains("vm-agent"), "{listing}");
    let said = bootable(vec![], base().file(b"bin/sh", b"1")).expect_err("nothing to start");
    assert!(said.starts_with("no virtual machine could start from it: it has no /sbin/init, and no agent"), "{said}");
}

#[test]
fn mount_points_are_added_where_they_are_missing() {
    let base =
        t().dir_mode(b"tmp", 0o700).symlink(b"etc/resolv.conf", b"../run/x").dir(b"data").symlink(b"var", b"data");
    let listing = injected(Existing::Refused, vec![], MountPoints::Added, base).expect("good");
    for line in [
        "/tmp dir 700",
        "/etc/resolv.conf -> ../run/x",
        "/etc/machine-id file ",
        "/var -> data",
        "/data/lib/private dir 700",
        "/proc dir 755",
        "/data/tmp dir 1777",
    ] {
        assert!(listing.contains(&format!("{line}\n")), "{line}: {listing}");
    }
    let said = injected(Existing::Refused, vec![], MountPoints::Added, t().file(b"var", b"1")).expect_err("a file");
    assert!(said.contains("/var/cache") && said.contains("--no-mount-points"), "{said}");
}
