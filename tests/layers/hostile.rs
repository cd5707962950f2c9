//! Archives that nobody means well with, or that a tool has got wrong, each with its verdict.
//! Whatever the verdict, no name leaves the root and no bytes are made up; `collect` checks that for all of them.

use crate::builder::{Header, Tar, record};
use crate::collect::{Bytes, merged};
use std::io::Write as _;
use veneer::layer::digest::{Digest, Expected};
use veneer::layer::pipeline::Threads;

/// What an archive comes to: an error with these words, or a tree with this line.
enum Verdict {
    Refused(&'static str),
    Taken(&'static str),
}
use Verdict::{Refused, Taken};

struct Case(&'static str, Bytes, Verdict);

fn t() -> Tar {
    Tar::new()
}

fn case(title: &'static str, tar: Tar, verdict: Verdict) -> Case {
    Case(title, Bytes::new(tar.end()), verdict)
}

/// An archive that ends as it stands.
fn cut(title: &'static str, bytes: &[u8], verdict: Verdict) -> Case {
    Case(title, Bytes::new(bytes.to_vec()), verdict)
}

fn check(cases: Vec<Case>) -> usize {
    let count = cases.len();
    for Case(title, bytes, verdict) in cases {
        for threads in [Threads::One, Threads::More] {
            let result = merged(&[Bytes { threads, ..bytes.clone() }]).map(|(collected, _)| collected.listing());
            match (&verdict, &result) {
                (Refused(words), Err(said)) => assert!(said.contains(words), "{title}: {said}"),
                (Taken(line), Ok(listing)) => {
                    assert!(listing.lines().any(|other| other == *line), "{title}: {listing}")
                }
                _ => panic!("{title}: {result:?}"),
            }
        }
    }
    count
}

fn names() -> Vec<Case> {
    let long = [&b"x/".repeat(2047)[..], b"y"].concat();
    vec![
        case("..", t().file(b"..", b"1"), Refused("has '..' in it")),
        case("../a", t().file(b"../a", b"1"), Refused("has '..' in it")),
        case("a/../../b", t().file(b"a/../../b", b"1"), Refused("has '..' in it")),
        case("a/..", t().dir(b"a/.."), Refused("has '..' in it")),
        case("/../a", t().file(b"/../a", b"1"), Refused("has '..' in it")),
        case("an absolute name", t().file(b"/etc/passwd", b"1"), Taken("/etc/passwd file 1")),
        case("many slashes", t().file(b"//etc///x", b"1"), Taken("/etc/x file 1")),
        case("dots that are a name", t().file(b"...", b"1"), Taken("/... file 1")),
        case("an empty name", t().file(b"", b"1"), Refused("the root is no directory")),
        case("a file for the root", t().file(b"/", b"1"), Refused("the root is no directory")),
        case("a link for the root", t().symlink(b"./", b"/etc"), Refused("the root is no directory")),
        case("a hard link for the root", t().file(b"a", b"").hard(b".", b"a"), Refused("the root is no directory")),
        case("a name of 256 bytes", t().file(&[b'x'; 256], b"1"), Refused("has 256 bytes")),
        case("a name of 4095 bytes, too deep", t().file(&long, b"1"), Refused("deeper than 512")),
        case("a name of 4097 bytes", t().file(&[&long[..], b"zz"].concat(), b"1"), Refused("4095 are possible")),
        case("a name with a zero byte", t().pax(&[record(b"path", b"a\0b")]).file(b"x", b""), Refused("zero byte")),
        case("a name that is no text", t().file(b"\xff\xfe", b"1"), Taken("/\\xff\\xfe file 1")),
        case("a name with a newline", t().file(b"a\nb", b"1"), Taken("/a\\nb file 1")),
        case(
            "a directory as deep as may be",
            t().dir(&b"d/".repeat(512)),
            Taken(Box::leak(format!("{} dir 755", "/d".repeat(512)).into_boxed_str())),
        ),
        case("one deeper", t().dir(&b"d/".repeat(513)), Refused("deeper than 512")),
    ]
}

fn links() -> Vec<Case> {
    let out = |tar: Tar| tar.file(b"l/x", b"1");
    let mut chain = t().file(b"l0", b"1");
    for n in 1..=60 {
        chain = chain.symlink(format!("l{n}").as_bytes(), format!("l{}", n - 1).as_bytes());
    }
    let deep = t().symlink(b"l", &[&b"a/".repeat(1500)[..], b"b"].concat()).file(b"l/x", b"1");
    let long_part = t().symlink(b"l", &[b'x'; 300]).file(b"l/x", b"1");
    vec![
        case("a link out, alone", t().symlink(b"l", b"../../etc"), Taken("/l -> ../../etc")),
        case("a write through a link out", out(t().symlink(b"l", b"../../etc")), Taken("/etc/x file 1")),
        case("a write through an absolute link", out(t().symlink(b"l", b"/etc")), Taken("/etc/x file 1")),
        case("a write through /..", out(t().symlink(b"l", b"/../..")), Taken("/x file 1")),
        case("a write through a link to itself", out(t().symlink(b"l", b"l")), Refused("more than 40 links")),
        case("a write through sixty links", chain.file(b"l60/x", b"1"), Refused("more than 40 links")),
        case("a write through a file", out(t().file(b"l", b"")), Refused("l is no directory")),
        case("a write through a device", out(t().special(b'3', b"l", 1, 3)), Refused("l is no directory")),
        case(
            "a write through a link to a file",
            out(t().file(b"f", b"").symlink(b"l", b"f")),
            Refused("f is no directory"),
        ),
        case("a link that leads too deep", deep, Refused("deeper than 512")),
        case("a link to a name that cannot be", long_part, Refused("300 bytes")),
        case("a link over a link", t().symlink(b"l", b"/a").symlink(b"l", b"/b"), Taken("/l -> /b")),
        case(
            "a file over a link is not written through it",
            t().symlink(b"l", b"f").file(b"f", b"1").file(b"l", b"2"),
            Taken("/f file 1"),
        ),
        case("a link to nothing at all", t().symlink(b"l", b""), Refused("link to nothing")),
        case("a link of 4096 bytes", t().symlink(b"l", &[b'x'; 4096]), Refused("4096 bytes")),
        case(
            "a link with a zero byte",
            t().pax(&[record(b"linkpath", b"a\0b")]).symlink(b"l", b"x"),
            Refused("zero byte"),
        ),
        case("a hard link out", t().hard(b"h", b"../../etc/passwd"), Refused("has '..' in it")),
        case(
            "a hard link to an absolute name",
            t().hard(b"h", b"/etc/passwd"),
            Refused("/etc/passwd, which is not there"),
        ),
        case(
            "a hard link through a link out",
            t().symlink(b"l", b"../../etc").hard(b"h", b"l/passwd"),
            Refused("which is not there"),
        ),
        case("a hard link to the root", t().hard(b"h", b"/"), Refused("hard link to a directory")),
        case("a hard link to a directory", t().dir(b"d").hard(b"h", b"d"), Refused("a directory")),
        case("a hard link to its own parent", t().hard(b"d/h", b"d"), Refused("which is not there")),
        case("hard links in a circle", t().hard(b"a", b"b").hard(b"b", b"a"), Refused("which is not there")),
        case(
            "a hard link of many bytes",
            t().file(b"a", b"1").entry(Header::new(b'1', b"h", 1 << 40).put(157, b"a"), b""),
            Taken("/h = /a"),
        ),
    ]
}

fn whiteouts() -> Vec<Case> {
    vec![
        case("a whiteout of ..", t().file(b".wh...", b""), Refused("whiteout of no name")),
        case("a whiteout of .. below", t().dir(b"a").file(b"a/.wh...", b""), Refused("whiteout of no name")),
        case("a whiteout of .", t().file(b".wh..", b""), Refused("whiteout of no name")),
        case("a whiteout of nothing", t().file(b"a/.wh.", b""), Refused("whiteout of no name")),
        case("a whiteout by .. before it", t().file(b"a/../.wh.b", b""), Refused("has '..' in it")),
        case("a name below a whiteout", t().file(b".wh.a/b", b""), Refused("below a whiteout")),
        case(
            "a whiteout through a link out",
            t().symlink(b"l", b"..").file(b"l/.wh.etc", b"").file(b"etc", b"1"),
            Taken("/etc file 1"),
        ),
        case("a whiteout with bytes", t().file(b".wh.a", b"123").file(b"b", b"1"), Taken("/b file 1")),
        case("a whiteout that is a directory", t().dir(b".wh.a").file(b"b", b"1"), Taken("/b file 1")),
        case("a whiteout of a whiteout", t().file(b".wh..wh.a", b"").file(b"b", b"1"), Taken("/b file 1")),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn headers() -> Vec<Case> {
    let with = |edit: fn(&mut Header) -> &mut Header| {
        let mut header = Header::new(b'0', b"a", 1);
        edit(&mut header);
        t().entry(&header, b"1")
    };
    let pax = pax_file;
    let mut flipped = t().file(b"a", b"1").end();
    flipped[0] ^= 1;
    vec![
        cut("a flipped bit", &flipped, Refused("checksum is wrong")),
        cut("no tar at all", &b"not a tar ".repeat(200), Refused("checksum is wrong")),
        case("an unknown type", with(|h| h.put(156, b"Z")), Refused("the unknown type")),
        case("a size that is no number", with(|h| h.put(124, b"9999")), Refused("size: ")),
        case("a negative size", with(|h| h.put(124, &[0xff; 12])), Refused("the size is -1")),
        case("a size over 2^63", pax(&[(b"size", b"18446744073709551615")]), Refused("the size is")),
        case("a negative uid", with(|h| h.put(108, &[0xff; 8])), Refused("the uid is -1")),
        case("a uid of 2^32-1", pax(&[(b"uid", b"4294967295")]), Refused("the uid is 4294967295")),
        case("a gid of 2^64", pax(&[(b"gid", b"18446744073709551616")]), Refused("gid: ")),
        case("a mode with everything set", with(|h| h.octal(100, 8, 0o7777777)), Taken("/a file 1")),
        case("a negative mode", with(|h| h.put(100, &[0xff; 8])), Refused("the mode is -1")),
        case("a time that is none", pax(&[(b"mtime", b"yesterday")]), Refused("mtime: ")),
        case("a device of no Linux", t().special(b'3', b"n", 4096, 0), Refused("not one of Linux")),
        case(
            "something between blocks of zeros",
            t().file(b"a", b"1").raw(&[0; 512]).file(b"b", b"2"),
            Refused("behind a block of zeros"),
        ),
        case("something behind the end", t().file(b"a", b"1").raw(&[0; 1024]).raw(&[b'x'; 700]), Taken("/a file 1")),
        cut("no end at all", &t().file(b"a", b"1").bytes, Taken("/a file 1")),
        cut("nothing at all", b"", Taken("/ dir 755")),
        cut("half an end", &t().file(b"a", b"1").raw(&[0; 512]).bytes, Taken("/a file 1")),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn extensions() -> Vec<Case> {
    let pax = pax_file;
    let raw_pax = |data: &[u8]| t().entry(&Header::new(b'x', b"p", data.len() as u64), data).file(b"a", b"1");
    let gnu_long = |text: &[u8]| t().entry(Header::new(b'L', b"@", text.len() as u64).gnu(), text);
    let label = [b"g".repeat(4096), b"\0".to_vec()].concat();
    vec![
        case(
            "PAX and GNU name it",
            gnu_long(b"b\0").pax(&[record(b"path", b"c")]).file(b"a", b"1"),
            Refused("named by GNU's long name and"),
        ),
        case(
            "two long names",
            gnu_long(b"b\0").raw(&gnu_long(b"c\0").bytes).file(b"a", b"1"),
            Refused("two long names"),
        ),
        case(
            "two PAX headers",
            t().pax(&[record(b"path", b"b")]).raw(&pax(&[(b"path", b"c")]).bytes),
            Refused("two PAX headers"),
        ),
        case(
            "a PAX header for nothing",
            t().file(b"a", b"1").pax(&[record(b"path", b"b")]),
            Refused("belongs to another one"),
        ),
        case("a long name of 4096 bytes", gnu_long(&label).file(b"a", b"1"), Refused("4096 bytes")),
        case(
            "a PAX header of 2 MiB",
            raw_pax(&record(b"comment", &vec![b'x'; 2 << 20])),
            Refused("the limit is 1048576"),
        ),
        case(
            "a PAX header of 8 EiB",
            t().entry(Header::new(b'x', b"p", 0).put(124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), b""),
            Refused("the limit is 1048576"),
        ),
        case(
            "a global header of 8 GiB",
            t().entry(&Header::new(b'g', b"g", (8 << 30) - 1), b""),
            Refused("the limit is 1048576"),
        ),
        case(
            "a global header's path",
            t().entry(&Header::new(b'g', b"g", 10), b"10 path=x\n").file(b"a", b"1"),
            Taken("/a file 1"),
        ),
        case("a PAX length of nothing", raw_pax(b"0 a=b\n"), Refused("a PAX record")),
        case("a PAX length too long", raw_pax(b"99 a=b\n"), Refused("longer than its header")),
        case("a PAX length in the middle", raw_pax(b"5 path=x\n"), Refused("does not end")),
        case("a PAX record without =", raw_pax(b"6 abc\n"), Refused("no '='")),
        case("a PAX path of nothing", pax(&[(b"path", b"")]), Taken("/a file 1")),
        case("a PAX path with ..", pax(&[(b"path", b"../x")]), Refused("has '..' in it")),
        case(
            "an attribute without a name",
            pax(&[(b"SCHILY.xattr.", b"1")]),
            Refused("no name of an extended attribute"),
        ),
        case("an attribute of 64 KiB", pax(&[(b"SCHILY.xattr.user.a", &[b'x'; 65536])]), Refused("65535 are possible")),
        case("an attribute of the Mac's", pax(&[(b"SCHILY.xattr.com.apple.provenance", b"1")]), Taken("/a file 1")),
        case("an attribute in bad base64", pax(&[(b"LIBARCHIVE.xattr.user.a", b"!")]), Refused("not base64")),
        case("an ACL of no number", pax(&[(b"SCHILY.acl.access", b"user:lisa:rwx")]), Refused("access control list")),
    ]
}

/// A file with these records before it.
fn pax_file(records: &[(&[u8], &[u8])]) -> Tar {
    let records: Vec<Vec<u8>> = records.iter().map(|(key, value)| record(key, value)).collect();
    t().pax(&records).file(b"a", b"1")
}

fn sparse() -> Vec<Case> {
    let one = |map: &[u8], size: &[u8]| {
        t().pax(&[record(b"GNU.sparse.size", size), record(b"GNU.sparse.map", map)]).file(b"s", b"abcd")
    };
    let two = |map: &[u8], size: &[u8], stored: usize| {
        let pax = [
            record(b"GNU.sparse.major", b"1"),
            record(b"GNU.sparse.minor", b"0"),
            record(b"GNU.sparse.realsize", size),
        ];
        let mut data = map.to_vec();
        data.resize(stored, 0);
        t().pax(&pax).file(b"s", &data)
    };
    let mut endless = Header::new(b'S', b"s", 0);
    endless.gnu().put(482, b"\x01").octal(483, 12, 1);
    let mut block = [0; 512];
    block[504] = 1;
    let blocks = (0..5000).fold(t().entry(&endless, b""), |tar, _| tar.raw(&block));
    vec![
        case("pieces over each other", one(b"0,3,2,1", b"9"), Refused("out of order")),
        case("a piece behind the end", one(b"8,4", b"9"), Refused("leaves the file")),
        case("a piece at the end of numbers", one(b"18446744073709551615,4", b"9"), Refused("leaves the file")),
        case("more data than pieces", one(b"0,3", b"9"), Refused("3 bytes of data, the archive 4")),
        case("fewer data than pieces", one(b"0,5", b"9"), Refused("5 bytes of data, the archive 4")),
        case("an offset without a length", one(b"0,4,5", b"9"), Refused("an offset without a length")),
        case("8 EiB of nothing", one(b"0,4", b"9223372036854775807"), Refused("--max-size")),
        case("a map of many numbers", two(b"999999999999\n", b"9", 512), Refused("longer than the entry")),
        case("a map that never ends", two(&[b'1'; 512], b"9", 512), Refused("longer than the entry")),
        case("a map of 2 MiB", two(&b"1\n".repeat(1 << 20), b"9", 3 << 20), Refused("the sparse map")),
        case("a map of no numbers", two(b"x\n", b"9", 512), Refused("no decimal number")),
        case(
            "a sparse file without its size",
            t().pax(&[record(b"GNU.sparse.map", b"0,4")]).file(b"s", b"abcd"),
            Refused("without its size"),
        ),
        case(
            "a sparse file of version 2",
            t().pax(&[record(b"GNU.sparse.major", b"2")]).file(b"s", b"abcd"),
            Refused("unknown version"),
        ),
        case(
            "an old sparse file in POSIX's header",
            t().entry(&Header::new(b'S', b"s", 0), b""),
            Refused("without GNU's header"),
        ),
        case("an old map in the end's zeros", t().entry(&endless, b""), Taken("/s file \\x00")),
        case("an old map of five thousand blocks", blocks, Refused("the sparse map has 1049088")),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("in memory")
}

fn streams() -> Vec<Case> {
    let good = t().file(b"a", &[b'x'; 2000]).file(b"b", b"1").end();
    let packed = gzip(&good);
    let bomb = |size: usize| t().file(b"bomb", &vec![0; size]).end();
    let promised = t().raw(&Header::new(b'0', b"a", 1 << 30).summed()).raw(&[b'x'; 4096]).bytes;
    let mut broken = packed.clone();
    broken[20] ^= 0x55;
    let mut crc = packed.clone();
    let at = crc.len() - 6;
    crc[at] ^= 1;
    vec![
        cut("cut in the first header", &good[..100], Refused("ends too early")),
        cut("cut behind the first header", &good[..512], Refused("ends too early")),
        cut("cut in a file", &good[..1000], Refused("ends too early")),
        cut("cut in a file's last bytes", &good[..2511], Refused("ends too early")),
        cut("cut in a file's padding", &good[..2530], Refused("ends too early")),
        cut("a header that promises more", &promised, Refused("--max-size")),
        cut("a gzip header alone", &packed[..10], Refused("decompressing")),
        cut("a gzip stream cut in the middle", &packed[..packed.len() / 2], Refused("decompressing")),
        cut("a gzip stream without its end", &packed[..packed.len() - 4], Refused("decompressing")),
        cut("a gzip stream with junk behind it", &[&packed[..], b"junk"].concat(), Refused("decompressing")),
        cut("a gzip stream with a wrong sum", &crc, Refused("decompressing")),
        cut("a damaged gzip stream", &broken, Refused("")),
        cut("two gzip members", &[gzip(&good[..700]), gzip(&good[700..])].concat(), Taken("/b file 1")),
        cut("a gzip bomb", &gzip(&bomb(12 << 20)), Refused("--max-size")),
        cut("a zstd bomb", &zstd::encode_all(&*bomb(12 << 20), 1).expect("in memory"), Refused("--max-size")),
        cut("a zstd stream cut", &zstd::encode_all(&*good, 1).expect("in memory")[..40], Refused("decompressing")),
        cut("a bomb behind the end", &gzip(&[good.clone(), vec![0; 12 << 20]].concat()), Refused("--max-size")),
        cut("bzip2", b"BZh91AY&SY\0\0\0\0", Refused("bzip2")),
        cut("a zip", b"PK\x03\x04\0\0\0\0", Refused("zip archive")),
    ]
}

fn digests() -> Vec<Case> {
    let good = t().file(b"a", b"1").end();
    let packed = gzip(&good);
    let mut wrong = packed.clone();
    wrong[20] ^= 0x55;
    let of = |bytes: &[u8], digest: &[u8], size: usize, diff_id: &[u8]| Bytes {
        stored: Expected { digest: Some(Digest::of(digest)), size: Some(size as u64) },
        diff_id: Some(Digest::of(diff_id)),
        ..Bytes::new(bytes.to_vec())
    };
    vec![
        Case("everything right", of(&packed, &packed, packed.len(), &good), Taken("/a file 1")),
        Case(
            "another digest",
            of(&packed, b"x", packed.len(), &good),
            Refused("the digest is wrong: expected sha256:2d7116"),
        ),
        Case("a damaged blob", of(&wrong, &packed, packed.len(), &good), Refused("the digest is wrong")),
        Case(
            "a blob of another size",
            of(&packed, &packed, packed.len() + 1, &good),
            Refused("the size is wrong: expected"),
        ),
        Case(
            "a blob that goes on",
            of(&[&packed[..], &packed].concat(), &packed, packed.len(), &good),
            Refused("the size is wrong"),
        ),
        Case("a cut blob", of(&packed[..30], &packed, packed.len(), &good), Refused("the size is wrong")),
        Case(
            "another diff_id",
            of(&packed, &packed, packed.len(), b"x"),
            Refused("decompressed is wrong: expected sha256:2d7116"),
        ),
        Case(
            "a damaged plain layer",
            Bytes { diff_id: Some(Digest::of(&good)), ..Bytes::new(t().file(b"b", b"1").end()) },
            Refused("decompressed is wrong"),
        ),
    ]
}

fn masses() -> Vec<Case> {
    let limited = |title, tar: Tar, edit: fn(&mut veneer::layer::limits::Limits), verdict| {
        let mut bytes = Bytes::new(tar.end());
        edit(&mut bytes.limits);
        Case(title, bytes, verdict)
    };
    let many = (0..200).fold(t(), |tar, n| tar.file(format!("f{n}").as_bytes(), b""));
    let fat = (0..20)
        .fold(t(), |tar, n| tar.pax(&[record(b"SCHILY.xattr.user.a", &[b'x'; 60000])]).dir(format!("d{n}").as_bytes()));
    let same = (0..2000).fold(t(), |tar, n| tar.file(b"same", n.to_string().as_bytes()));
    // Each name implies five hundred directories that no entry has said.
    let implied = |count: usize| (0..count).fold(t(), |tar, n| tar.file(&deep_name(n), b""));
    vec![
        limited(
            "directories that are only implied",
            implied(30),
            |limits| limits.entries = 10_000,
            Refused("more than 10000 entries in the layers, with the directories they imply"),
        ),
        limited(
            "as many implied directories as may be",
            implied(2),
            |limits| limits.entries = 1002,
            Taken(Box::leak(format!("/1{}/f file ", "/d".repeat(499)).into_boxed_str())),
        ),
        limited(
            "implied directories without an end",
            implied(30),
            |limits| limits.names_size = 1 << 20,
            Refused("directories in the layers take more than 1048576 bytes"),
        ),
        limited(
            "a directory again and again",
            (0..3000).fold(t(), |tar, _| tar.dir(b"d").file(b"d", b"")),
            |limits| limits.names_size = 1 << 20,
            Refused("directories in the layers take more than 1048576 bytes"),
        ),
        limited("more entries than may be", many, |limits| limits.entries = 100, Refused("more than 100 entries")),
        limited(
            "more attributes than may be",
            fat,
            |limits| limits.names_size = 1 << 20,
            Refused("more than 1048576 bytes"),
        ),
        case("one name two thousand times", same, Taken("/same file 1999")),
    ]
}

/// A file five hundred directories deep, all its own.
fn deep_name(number: usize) -> Vec<u8> {
    [format!("{number}/").as_bytes(), &b"d/".repeat(499), b"f"].concat()
}

#[test]
fn hostile_archives_have_their_verdicts() {
    let groups = [names(), links(), whiteouts(), headers(), extensions(), sparse(), streams(), digests(), masses()];
    let count: usize = groups.into_iter().map(check).sum();
    assert!(count >= 80, "{count}");
    println!("{count} archives");
}
