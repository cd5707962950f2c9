//! Any tree as an EROFS image: what is read back is the tree, and `fsck.erofs` has nothing to say.
//! It knows nothing of layouts; the trees have what layouts differ by: sizes around a block, holes, attributes, many names.
//! With `VENEER_FSCK` in the environment every image goes through `fsck.erofs`; without it our own reader is asked alone.

use std::collections::HashMap;
use std::io;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use veneer::image::blocks::WriteAt;
use veneer::image::read::{Reader, Tree, What as Read};
use veneer::image::erofs::{EqualFiles, Options, Writer};
use veneer::image::identity::Seed;
use veneer::image::tree::{
    Content, Device, Directory, Entry, InodeId, Meta, Mode, Piece, Special, Time, TreeWriter as _, Xattr,
};
use veneer::layer::limits::Limits;
use veneer::verity::tree::ReadAt;

const EPOCH: Time = Time { seconds: 1_700_000_000, nanoseconds: 5 };
const SIZES: [u64; 16] = [0, 1, 47, 100, 2000, 3999, 4031, 4032, 4033, 4064, 4096, 4097, 8191, 8192, 12_289, 70_000];
const IDS: [u32; 4] = [0, 1000, 65_536, u32::MAX - 1];
const TIMES: [Time; 4] = [
    EPOCH,
    Time { seconds: 0, nanoseconds: 0 },
    Time { seconds: -3, nanoseconds: 999_999_999 },
    Time { seconds: 1 << 33, nanoseconds: 1 },
];
const XATTRS: [&[u8]; 4] = [b"security.capability", b"trusted.t", b"user.a", b"user.b\xff"];

/// A file's parts: bytes of one value, or a hole.
type Parts = Vec<(Option<u8>, u64)>;

enum What {
    File(Parts),
    Special(Special),
}

#[derive(Default)]
struct Model {
    inodes: Vec<(Meta, What)>,
    root: Directory,
}

/// The fuzzer's bytes; behind their end there are zeros.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.next()) % all.len()]
    }

    fn meta(&mut self) -> Meta {
        let mode = Mode((u16::from(self.next()) << 4 | 0o5) & 0o7777);
        let (uid, gid, mtime) = (self.of(&IDS), self.of(&IDS), self.of(&TIMES));
        let which = self.next();
        let has = |bit: &usize| which & 0xc0 == 0 && which >> bit & 1 == 1;
        let one = |bit: usize| Xattr {
            name: XATTRS[bit].into(),
            value: vec![which; SIZES[usize::from(which >> 2 & 3) + bit] as usize].into(),
        };
        Meta { mode, uid, gid, mtime, xattrs: (0..XATTRS.len()).filter(has).map(one).collect() }
    }

    fn file(&mut self) -> What {
        let part = |kind: u8, size: u64| ((kind & 3 != 0).then_some(kind), size);
        let count = self.next() % 4;
        let parts = (0..count).map(|_| part(self.next(), self.of(&SIZES)));
        What::File(parts.filter(|(_, size)| *size > 0).collect())
    }

    fn special(&mut self) -> What {
        let device = Device { major: u32::from(self.next()), minor: u32::from(self.next()) << 10 };
        What::Special(match self.next() % 5 {
            0 => Special::Character(device),
            1 => Special::Block(device),
            2 => Special::Fifo,
            3 => Special::Socket,
            _ => Special::Symlink(vec![b'a'; self.of(&SIZES).clamp(1, 4095) as usize].into()),
        })
    }

    fn name(&mut self) -> Box<[u8]> {
        match self.next() {
            0 => [255; 255].into(),
            byte @ (b'.' | b'/') => [byte & 1 | b'a', b'.'].into(),
            byte => vec![byte; usize::from(self.next() % 30) + 1].into(),
        }
    }
}

impl Model {
    /// The bytes as acts in a tree: something is put in, a directory is entered or left.
    fn of(bytes: &[u8]) -> (Self, EqualFiles) {
        let mut bytes = Bytes(bytes.iter());
        let equal = if bytes.next() & 1 == 0 { EqualFiles::Apart } else { EqualFiles::Shared };
        let mut model = Self::default();
        let mut open = vec![(Box::default(), Directory { meta: bytes.meta(), ..Directory::default() })];
        while bytes.0.len() > 0 {
            let act = bytes.next();
            match act % 8 {
                0 if open.len() < 30 => {
                    open.push((bytes.name(), Directory { meta: bytes.meta(), ..Directory::default() }))
                }
                1 => model.leave(&mut open),
                6 if !model.inodes.is_empty() => {
                    let number = usize::from(bytes.next()) % model.inodes.len();
                    put(&mut open, bytes.name(), Entry::Inode(InodeId(number as u32)));
                }
                7 => model.many(&mut open, &mut bytes, act),
                kind => {
                    let what = if kind == 5 { bytes.special() } else { bytes.file() };
                    let id = model.add(bytes.meta(), what);
                    put(&mut open, bytes.name(), id);
                }
            }
        }
        while open.len() > 1 {
            model.leave(&mut open);
        }
        model.root = open.pop().map(|(_, root)| root).unwrap_or_default();
        (model, equal)
    }

    fn add(&mut self, meta: Meta, what: What) -> Entry {
        self.inodes.push((meta, what));
        Entry::Inode(InodeId(self.inodes.len() as u32 - 1))
    }

    /// A directory of more than a block.
    fn many(&mut self, open: &mut [(Box<[u8]>, Directory)], bytes: &mut Bytes<'_>, act: u8) {
        let meta = bytes.meta();
        for number in 0..act >> 3 {
            let id = self.add(meta.clone(), What::File(vec![(Some(number), u64::from(number) * 13)]));
            put(open, vec![number | 0x40; 200].into(), id);
        }
    }

    fn leave(&mut self, open: &mut Vec<(Box<[u8]>, Directory)>) {
        if open.len() > 1 {
            if let Some((name, directory)) = open.pop() {
                put(open, name, Entry::Directory(directory));
            }
        }
    }

    fn write(&self, file: Memory, equal: EqualFiles) {
        let options = Options { seed: Seed([1; 32]), epoch: EPOCH, equal };
        let mut writer = Writer::new(file, options).expect("a writer");
        for (at, (meta, what)) in self.inodes.iter().enumerate() {
            let id = match what {
                What::Special(special) => writer.special(meta, special),
                What::File(parts) => writer.file(meta, size(parts), &mut Given { parts: parts.iter(), buffer: vec![] }),
            };
            assert_eq!(id.expect("taken").0 as usize, at);
        }
        writer.finish(&self.root).expect("finished");
    }
}

fn put(open: &mut [(Box<[u8]>, Directory)], name: Box<[u8]>, entry: Entry) {
    if let Some((_, directory)) = open.last_mut() {
        directory.entries.insert(name, entry);
    }
}

fn size(parts: &Parts) -> u64 {
    parts.iter().map(|(_, size)| size).sum()
}

struct Given<'a> {
    parts: std::slice::Iter<'a, (Option<u8>, u64)>,
    buffer: Vec<u8>,
}

impl Content for Given<'_> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        Ok(self.parts.next().map(|(value, size)| match value {
            None => Piece::Hole(*size),
            Some(value) => {
                self.buffer = vec![*value; *size as usize];
                Piece::Data(&self.buffer)
            }
        }))
    }
}

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl ReadAt for Memory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[..].read_at(buffer, offset)
    }
}

impl WriteAt for Memory {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = offset as usize + bytes.len();
        if all.len() < end {
            all.resize(end, 0);
        }
        all[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).resize(size as usize, 0);
        Ok(())
    }
}

/// Writes the tree that the bytes stand for, and reads it again.
pub fn prove_writer(bytes: &[u8]) {
    let (model, equal) = Model::of(bytes);
    let memory = Memory::default();
    model.write(memory.clone(), equal);
    let image = std::mem::take(&mut *memory.0.lock().expect("nobody else has it"));
    let reader = Reader::open(Slice(&image), image.len() as u64, Limits::default()).expect("an image");
    let tree = reader.tree().expect("a tree");
    same(&model, &tree, &reader);
    if std::env::var_os("VENEER_FSCK").is_some() {
        fsck(&image);
    }
}

struct Slice<'a>(&'a [u8]);

impl ReadAt for Slice<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(buffer, offset)
    }
}

fn same(model: &Model, tree: &Tree, reader: &Reader<Slice<'_>>) {
    let mut known = HashMap::new();
    let mut ahead = vec![(&model.root, &tree.root)];
    while let Some((wanted, found)) = ahead.pop() {
        assert_eq!(wanted.meta, found.meta);
        assert!(wanted.entries.keys().eq(found.entries.keys()));
        for (wanted, found) in wanted.entries.values().zip(found.entries.values()) {
            match (wanted, found) {
                (Entry::Directory(wanted), Entry::Directory(found)) => ahead.push((wanted, found)),
                (Entry::Inode(wanted), Entry::Inode(found)) => {
                    let number = tree.inodes[found.0 as usize];
                    if *known.entry(wanted.0).or_insert(number) != number {
                        panic!("two names of one file lead to two");
                    }
                }
                _ => panic!("one is a directory"),
            }
        }
    }
    let different: std::collections::HashSet<u64> = known.values().copied().collect();
    assert_eq!(different.len(), known.len(), "two files have become one");
    known.iter().for_each(|(wanted, number)| same_inode(&model.inodes[*wanted as usize], *number, reader));
}

fn same_inode((meta, what): &(Meta, What), number: u64, reader: &Reader<Slice<'_>>) {
    let inode = reader.inode(number).expect("an inode");
    let is_link = matches!(what, What::Special(Special::Symlink(_)));
    let wanted = if is_link { Meta { mode: inode.meta.mode, ..meta.clone() } } else { meta.clone() };
    assert_eq!(inode.meta, wanted);
    match (what, inode.what) {
        (What::Special(wanted), Read::Special(found)) => assert_eq!(*wanted, found),
        (What::File(parts), Read::File(body)) => {
            let (mut content, mut bytes) = (reader.content(body), Vec::new());
            while let Some(piece) = content.next_piece().expect("a piece") {
                match piece {
                    Piece::Data(data) => bytes.extend_from_slice(data),
                    Piece::Hole(size) => bytes.resize(bytes.len() + size as usize, 0),
                }
            }
            let wanted = parts.iter().flat_map(|(value, size)| std::iter::repeat_n(value.unwrap_or(0), *size as usize));
            assert!(wanted.eq(bytes.iter().copied()), "other bytes");
        }
        _ => panic!("another kind of file"),
    }
}

/// The file systems' own tool; it takes files only.
fn fsck(image: &[u8]) {
    let path = format!("/dev/shm/veneer-fuzz-{}.erofs", std::process::id());
    std::fs::write(&path, image).expect("room in /dev/shm");
    let done = Command::new("/usr/bin/fsck.erofs").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.expect("fsck.erofs (erofs-utils) must be installed").success(), "fsck.erofs refuses it");
}
