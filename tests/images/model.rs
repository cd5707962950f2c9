//! Trees for the writers of images: some made by hand, some at random, all kept so that an image can be compared with them.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;
use veneer::image::tree::{
    Content, Device, Directory, Entry, InodeId, Meta, Mode, Piece, Special, Time, TreeWriter, Xattr,
};

/// What an inode that is no directory is.
#[derive(Clone, Debug)]
pub enum What {
    File(Vec<Part>),
    Special(Special),
}

/// A part of a file: bytes that depend on where they are, or a hole.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Data(u8, u64),
    Hole(u64),
}

impl Part {
    pub fn size(self) -> u64 {
        match self {
            Self::Data(_, size) | Self::Hole(size) => size,
        }
    }
}

/// The byte of some data at a place in its file.
pub fn byte_at(value: u8, at: u64) -> u8 {
    value.wrapping_add((at % 251) as u8)
}

/// A tree: inodes are numbered by their place in the list.
#[derive(Clone, Debug)]
pub struct Model {
    pub inodes: Vec<(Meta, What)>,
    pub root: Directory,
}

/// Gives a file's parts, in pieces of no particular size.
struct Parts<'a> {
    parts: &'a [Part],
    at: u64,
    left: u64,
    buffer: Vec<u8>,
}

impl Content for Parts<'_> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        while self.left == 0 {
            let Some((_, rest)) = self.parts.split_first() else { return Ok(None) };
            self.parts = rest;
            self.left = rest.first().map_or(0, |part| part.size());
            if rest.is_empty() {
                return Ok(None);
            }
        }
        match self.parts[0] {
            Part::Hole(size) => {
                self.at += size;
                self.left = 0;
                Ok(Some(Piece::Hole(size)))
            }
            Part::Data(value, _) => {
                let now = self.left.min(61_001);
                self.buffer = (self.at..self.at + now).map(|at| byte_at(value, at)).collect();
                self.at += now;
                self.left -= now;
                Ok(Some(Piece::Data(&self.buffer)))
            }
        }
    }
}

impl Model {
    /// Hands the tree to a writer.
    pub fn write<W: TreeWriter>(&self, mut writer: W) -> io::Result<W::Finished> {
        let mut ids = Vec::new();
        for (meta, what) in &self.inodes {
            ids.push(match what {
                What::Special(special) => writer.special(meta, special)?,
                What::File(parts) => {
                    // A first part of nothing, so that each step drops one.
                    let parts: Vec<_> = [&[Part::Hole(0)][..], parts].concat();
                    let size = parts.iter().map(|part| part.size()).sum();
                    writer.file(meta, size, &mut Parts { parts: &parts, at: 0, left: 0, buffer: Vec::new() })?
                }
            });
        }
        writer.finish(&renumbered(&self.root, &ids))
    }

    /// How many names an inode has.
    pub fn links(&self, inode: u32) -> usize {
        fn count(directory: &Directory, inode: u32) -> usize {
            let each = |entry: &Entry| match entry {
                Entry::Inode(id) => usize::from(id.0 == inode),
                Entry::Directory(below) => count(below, inode),
            };
            directory.entries.values().map(each).sum()
        }
        count(&self.root, inode)
    }
}

fn renumbered(directory: &Directory, ids: &[InodeId]) -> Directory {
    let entry = |entry: &Entry| match entry {
        Entry::Inode(id) => Entry::Inode(ids[id.0 as usize]),
        Entry::Directory(below) => Entry::Directory(renumbered(below, ids)),
    };
    let entries = directory.entries.iter().map(|(name, to)| (name.clone(), entry(to))).collect();
    Directory { meta: directory.meta.clone(), entries }
}

/// The time that the images of these tests keep for themselves.
pub const EPOCH: Time = Time { seconds: 1_700_000_000, nanoseconds: 123_456_789 };

/// A name for the inode of this number.
pub fn inode(id: u32) -> Entry {
    Entry::Inode(InodeId(id))
}

/// A file of so many bytes of one value.
pub fn data(value: u8, size: u64) -> What {
    What::File(vec![Part::Data(value, size)])
}

/// Plain metadata with this mode.
pub fn meta(mode: u16) -> Meta {
    Meta { mode: Mode(mode), mtime: EPOCH, ..Meta::default() }
}

pub fn xattr(name: &str, value: &[u8]) -> Xattr {
    Xattr { name: name.as_bytes().into(), value: value.into() }
}

/// `posix_acl(5)` as the kernel takes it: version 2, owner, user 7, group, mask, others.
pub fn acl() -> Vec<u8> {
    let entry = |tag: u16, permissions: u16, id: u32| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let entries = [entry(1, 6, !0), entry(2, 4, 7), entry(4, 4, !0), entry(16, 4, !0), entry(32, 0, !0)];
    [&2u32.to_le_bytes()[..], &entries.concat()].concat()
}

/// A capability as setcap(8) leaves it: version 2, `cap_net_raw=ep`.
pub fn capability() -> Vec<u8> {
    [0x0200_0001u32, 1 << 13, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A directory with some names.
pub fn directory(meta: Meta, entries: Vec<(&[u8], Entry)>) -> Directory {
    Directory { meta, entries: entries.into_iter().map(|(name, entry)| (name.into(), entry)).collect() }
}

fn time() -> impl Strategy<Value = Time> {
    let any = (-(1i64 << 31)..(1i64 << 33), 0u32..1_000_000_000);
    prop_oneof![2 => Just(EPOCH), 3 => any.prop_map(|(seconds, nanoseconds)| Time { seconds, nanoseconds })]
}

fn any_meta(user: bool) -> impl Strategy<Value = Meta> {
    let id = || prop_oneof![Just(0u32), Just(65_535), Just(65_536), Just(u32::MAX - 1), 1..70_000u32];
    let kinds: &[&str] =
        if user { &["user.", "trusted.", "security.own-", "user.overlay."] } else { &["trusted.", "security.own-"] };
    let name = (prop::sample::select(kinds), "[a-c\u{e4}\u{1}]{1,3}").prop_map(|(kind, rest)| format!("{kind}{rest}"));
    let value = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 600..1500)
    ];
    let xattrs = prop_oneof![
        3 => Just(BTreeMap::new()),
        1 => prop::collection::btree_map(name, value, 0..3)
    ];
    (0u16..0o10000, id(), id(), time(), xattrs, 0..20u8).prop_map(move |(mode, uid, gid, mtime, xattrs, extra)| {
        let mut xattrs: Vec<_> = xattrs.iter().map(|(name, value)| xattr(name, value)).collect();
        match extra {
            0 if user => xattrs.push(xattr("security.capability", &capability())),
            1 if user => xattrs.push(xattr("system.posix_acl_access", &acl())),
            _ => {}
        }
        xattrs.sort();
        Meta { mode: Mode(mode), uid, gid, mtime, xattrs }
    })
}

fn any_part() -> impl Strategy<Value = Part> {
    let size = || prop_oneof![1..200u64, 4000..4200u64, Just(4096), Just(8192), 1..30_000u64];
    prop_oneof![2 => (any::<u8>(), size()).prop_map(|(value, size)| Part::Data(value, size)), 1 => size().prop_map(Part::Hole)]
}

fn any_file() -> impl Strategy<Value = What> {
    let small = (any::<u8>(), 0..9000u64).prop_map(|(value, size)| vec![Part::Data(value, size)]);
    prop_oneof![3 => small, 1 => prop::collection::vec(any_part(), 0..6)].prop_map(What::File)
}

fn any_special() -> impl Strategy<Value = Special> {
    let device = || (0..4096u32, 0..1u32 << 20).prop_map(|(major, minor)| Device { major, minor });
    let target = prop_oneof![
        3 => prop::collection::vec(1..=255u8, 1..70),
        1 => prop::collection::vec(1..=255u8, 3900..4096)
    ];
    prop_oneof![
        4 => target.prop_map(|target| Special::Symlink(target.into())),
        1 => device().prop_map(Special::Character),
        1 => device().prop_map(Special::Block),
        1 => Just(Special::Fifo),
        1 => Just(Special::Socket),
    ]
}

fn any_inode() -> impl Strategy<Value = (Meta, What)> {
    prop_oneof![
        4 => (any_meta(true), any_file()),
        1 => (any_meta(false), any_special().prop_map(What::Special)),
    ]
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no name has it", |byte| !matches!(byte, 0 | b'/'));
    let lengths = prop_oneof![8 => 1..20usize, 1 => 200..256usize];
    let dots = |name: &Vec<u8>| !matches!(name.as_slice(), b"." | b"..");
    lengths.prop_flat_map(move |length| prop::collection::vec(byte.clone(), length)).prop_filter("not our own", dots)
}

/// Any tree: directories at random places in each other, inodes with any number of names.
pub fn any_model() -> impl Strategy<Value = Model> {
    let directories = prop::collection::vec((any::<prop::sample::Index>(), any_name(), any_meta(true)), 0..12);
    let names = prop::collection::vec((any::<prop::sample::Index>(), any_name(), any::<prop::sample::Index>()), 0..60);
    let inodes = prop::collection::vec(any_inode(), 0..30);
    (any_meta(true), directories, inodes, names).prop_map(|(meta, directories, inodes, names)| {
        // Each directory's own names, then each but the root put into one before it, the last first.
        let mut all = vec![(0, Vec::new(), Directory { meta, ..Directory::default() })];
        for (parent, name, meta) in directories {
            all.push((parent.index(all.len()), name, Directory { meta, ..Directory::default() }));
        }
        for (place, name, inode) in names.iter().filter(|_| !inodes.is_empty()) {
            let index = place.index(all.len());
            let id = InodeId(inode.index(inodes.len()) as u32);
            all[index].2.entries.insert(name.as_slice().into(), Entry::Inode(id));
        }
        while all.len() > 1 {
            let (parent, name, directory) = all.pop().expect("more than one");
            all[parent].2.entries.insert(name.into(), Entry::Directory(directory));
        }
        Model { inodes, root: all.remove(0).2 }
    })
}
