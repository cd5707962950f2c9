//! Images beside their bars: the hash tree alone beside `veritysetup format`, a directory written as EROFS beside
//! `mkfs.erofs`, and the memory that half a million files take. Each line is one measurement; peers run in turns.
//! `decompress` does nothing but that with an image's layers, two at a time: what a conversion cannot do without.
//! `cargo bench --bench image -- tree FILE | directory DIR OUT | many COUNT OUT | decompress LAYOUT:NAME |
//! names COUNT OUT`
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use veneer::host::source::open;
use veneer::image::erofs::{EqualFiles, Options, Writer};
use veneer::image::identity::{Purpose, Seed};
use veneer::image::tree::{Content, Directory, Entry, InodeId, Meta, Mode, Piece, Special, Time, TreeWriter};
use veneer::layer::compression::Decoder;
use veneer::oci::document::Platform;
use veneer::oci::layer::Reading;
use veneer::oci::source::Source;
use veneer::verity::build::Leaves;

const SEED: Seed = Seed([1; 32]);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["tree", file, ..] => tree(Path::new(file)),
        ["directory", from, to, ..] => directory(Path::new(from), Path::new(to)),
        ["many", count, to, ..] => many(count.parse().unwrap(), Path::new(to)),
        ["decompress", image, ..] => decompress(image),
        ["names", count, to, ..] => names(count.parse().unwrap(), Path::new(to)).unwrap(),
        _ => {
            println!("usage: tree FILE | directory DIR OUT | many COUNT OUT | decompress LAYOUT:NAME | names COUNT OUT")
        }
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn timed(act: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    act();
    begin.elapsed()
}

fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned()
}

fn tree(path: &Path) {
    let (mut ours, mut one, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let out = path.with_extension("tree");
    let build = |threads| {
        let file = File::open(path).unwrap();
        let blocks = file.metadata().unwrap().len() / 4096;
        let leaves = Leaves::read(SEED.bytes(Purpose::Salt), &file, blocks, threads).unwrap();
        fs::write(&out, leaves.build(SEED.uuid(Purpose::HashTree)).unwrap().file).unwrap();
    };
    for _ in 0..7 {
        ours.push(timed(|| build(2)));
        one.push(timed(|| build(1)));
        fs::remove_file(&out).unwrap();
        theirs.push(timed(|| {
            let mut command = Command::new("veritysetup");
            command.arg("format").arg(path).arg(&out).stdout(Stdio::null());
            assert!(command.status().unwrap().success());
        }));
    }
    let (ours, one, theirs) = (median(ours), median(one), median(theirs));
    println!(
        "tree: ours {ours:.0} ms, on one thread {one:.0} ms, veritysetup {theirs:.0} ms: {:.2} times",
        theirs / ours
    );
}

/// Decompresses the layers of an image with the library that conversions use, on both processors, the largest first.
fn decompress(image: &str) {
    let source = Source::parse(&format!("oci:{image}")).unwrap();
    let opened = open(&source, &Platform::of_this_machine(), &Reading::default()).unwrap();
    let layout = Path::new(image.split(':').next().unwrap());
    let mut layers: Vec<_> = opened.image.unwrap().layers.iter().map(|layer| layout.join(&layer.file)).collect();
    layers.sort_by_key(|path| fs::metadata(path).unwrap().len());
    let waiting = Mutex::new(layers);
    let work = || {
        let mut buffer = vec![0; 256 << 10];
        while let Some(path) = { waiting.lock().unwrap().pop() } {
            let file = io::BufReader::with_capacity(256 << 10, File::open(path).unwrap());
            let mut layer = Decoder::new(file).unwrap();
            while layer.read(&mut buffer).unwrap() > 0 {}
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
}

/// A tar of so many small files, a hundred in each directory: for the memory of a whole conversion.
fn names(count: u32, to: &Path) -> io::Result<()> {
    let mut out = io::BufWriter::new(File::create(to)?);
    for number in 0..count {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, format!("usr/share/some/{:05}/a-file-with-a-name-{number:07}", number / 100).as_bytes());
        put(100, b"0000644");
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{:011o}", number % 512).as_bytes());
        put(136, format!("{:011o}", 1_700_000_000 + number).as_bytes());
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.write_all(&block)?;
        if number % 512 > 0 {
            let mut content = [0; 512];
            content[..(number % 512) as usize].fill(b'a' + (number % 26) as u8);
            out.write_all(&content)?;
        }
    }
    out.write_all(&[0; 1024])?;
    out.flush()
}

struct Bytes(File, Vec<u8>);

impl Content for Bytes {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        let size = self.0.read(&mut self.1)?;
        Ok((size > 0).then(|| Piece::Data(&self.1[..size])))
    }
}

fn writer(to: &Path) -> Writer<File> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(to).unwrap();
    Writer::new(file, Options { seed: SEED, epoch: Time::default(), equal: EqualFiles::Apart }).unwrap()
}

fn meta_of(found: &fs::Metadata) -> Meta {
    let mtime = Time { seconds: found.mtime(), nanoseconds: found.mtime_nsec() as u32 };
    Meta { mode: Mode(found.mode() as u16 & 0o7777), uid: found.uid(), gid: found.gid(), mtime, xattrs: Vec::new() }
}

fn take(path: &Path, writer: &mut Writer<File>, known: &mut HashMap<u64, InodeId>) -> Directory {
    let mut directory = Directory { meta: meta_of(&fs::metadata(path).unwrap()), ..Directory::default() };
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort_unstable();
    for path in names {
        let found = fs::symlink_metadata(&path).unwrap();
        let meta = meta_of(&found);
        let entry = if found.is_dir() {
            Entry::Directory(take(&path, writer, known))
        } else if let Some(id) = known.get(&found.ino()) {
            Entry::Inode(*id)
        } else {
            let id = if found.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                writer.special(&meta, &Special::Symlink(target.as_os_str().as_bytes().into())).unwrap()
            } else {
                let file = File::open(&path).unwrap();
                writer.file(&meta, found.len(), &mut Bytes(file, vec![0; 256 << 10])).unwrap()
            };
            known.insert(found.ino(), id);
            Entry::Inode(id)
        };
        directory.entries.insert(path.file_name().unwrap().as_bytes().into(), entry);
    }
    directory
}

fn directory(from: &Path, to: &Path) {
    let (mut ours, mut theirs, mut sizes) = (Vec::new(), Vec::new(), (0, 0));
    for _ in 0..3 {
        ours.push(timed(|| {
            let mut writer = writer(to);
            let root = take(from, &mut writer, &mut HashMap::new());
            sizes.0 = writer.finish(&root).unwrap().size;
        }));
        let other = to.with_extension("mkfs");
        theirs.push(timed(|| {
            let mut command = Command::new("mkfs.erofs");
            assert!(command.arg(&other).arg(from).stdout(Stdio::null()).status().unwrap().success());
        }));
        sizes.1 = fs::metadata(&other).unwrap().len();
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("directory: ours with its tree {ours:.0} ms, mkfs.erofs {theirs:.0} ms; {}", peak());
    println!("size: ours {}, mkfs.erofs {}: {:.4} times", sizes.0, sizes.1, sizes.0 as f64 / sizes.1 as f64);
}

struct Given<'a>(Option<&'a [u8]>);

impl Content for Given<'_> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        Ok(self.0.take().map(Piece::Data))
    }
}

fn many(count: u32, to: &Path) {
    let began = Instant::now();
    let mut writer = writer(to);
    let mut root = Directory::default();
    for index in 0..count {
        let meta = Meta { mtime: Time { seconds: i64::from(index), nanoseconds: 1 }, ..Meta::default() };
        let size = index % 3000 + 1;
        let id = writer.file(&meta, u64::from(size), &mut Given(Some(&[7; 3000][..size as usize]))).unwrap();
        let parent = format!("directory {}", index / 20).into_bytes();
        let below = root.entries.entry(parent.into()).or_insert_with(|| Entry::Directory(Directory::default()));
        if let Entry::Directory(below) = below {
            below.entries.insert(format!("file {index}").into_bytes().into(), Entry::Inode(id));
        }
    }
    println!("{count} files taken: {}, {:.1} s", peak(), began.elapsed().as_secs_f64());
    let finished = writer.finish(&root).unwrap();
    println!("finished: {} bytes, {}, {:.1} s", finished.size, peak(), began.elapsed().as_secs_f64());
}
