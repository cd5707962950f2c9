//! The end of an ext4 image: directories, the journal, what is left of inode tables, bitmaps, descriptors, superblocks.
//! It takes no more files.
//! The file system's own inodes: root, journal and `lost+found`; a `lost+found` in the tree is taken for that one.

use super::dirents::{self, Dirent};
use super::geometry::{DESCRIPTORS, GROUP, has_copy};
use super::inode::{Body, LINKS_MAX, SIZE, set_links};
use super::superblock::{
    FIRST_INODE, Group, JOURNAL_INODE, Journal, Superblock, Used, descriptors, inode_bitmap, journal_head,
};
use super::{BLOCK_SIZE, DIRECTORY, File, Finished, REGULAR, Size, Writer};
use crate::image::blocks::{Settled, WriteAt};
use crate::image::directories::{Flat, count_links, flatten};
use crate::image::identity::Purpose;
use crate::image::limits::refused;
use crate::image::tree::{Directory, Entry, Meta, Mode};
use crate::verity::build::BLOCK;
use std::io;
use std::ops::Range;

const ROOT_INODE: u32 = 2;
const LOST: &[u8] = b"lost+found";

/// An image whose files are all there.
struct Ending<'a, F: WriteAt> {
    writer: Writer<F>,
    directories: Vec<Flat<'a>>,
    links: Vec<u32>,
    /// The root's child that is `lost+found`, if the tree has one.
    lost: Option<usize>,
    /// The file system's own inodes.
    own: Vec<(u32, [u8; SIZE])>,
    journal: Option<Journal>,
}

/// Writes what is left of an image.
pub(super) fn finish<F: WriteAt>(writer: Writer<F>, root: &Directory) -> io::Result<Finished> {
    let directories = flatten(root)?;
    let links = count_links(&directories, writer.taken.len())?;
    if let Some(links) = links.iter().find(|links| **links > LINKS_MAX) {
        return Err(refused(format!("a file has {links} names, ext4 holds {LINKS_MAX}")));
    }
    let lost = lost_child(root)?;
    let mut ending = Ending { writer, directories, links, lost, own: Vec::new(), journal: None };
    for index in 0..ending.directories.len() {
        ending.directory(index)?;
    }
    if ending.lost.is_none() {
        ending.make_lost()?;
    }
    ending.make_journal()?;
    ending.close()
}

/// The place of `lost+found` among all directories.
fn lost_child(root: &Directory) -> io::Result<Option<usize>> {
    match root.entries.get(LOST) {
        None => Ok(None),
        Some(Entry::Inode(_)) => Err(refused("in an ext4 file system /lost+found is a directory".into())),
        Some(Entry::Directory(_)) => {
            let before = root.entries.range::<[u8], _>((std::ops::Bound::Unbounded, std::ops::Bound::Excluded(LOST)));
            Ok(Some(1 + before.filter(|(_, entry)| matches!(entry, Entry::Directory(_))).count()))
        }
    }
}

impl<F: WriteAt> Ending<'_, F> {
    /// A directory's inode: those of the tree follow the files, but for the two that have their own.
    fn number(&self, index: usize) -> u32 {
        let first = FIRST_INODE + 1 + self.writer.taken.len() as u32;
        match self.lost {
            _ if index == 0 => ROOT_INODE,
            Some(lost) if index == lost => FIRST_INODE,
            Some(lost) if index > lost => first + index as u32 - 2,
            _ => first + index as u32 - 1,
        }
    }

    /// How many inodes from the first are used.
    fn used_inodes(&self) -> u64 {
        let own = if self.lost.is_some() { 2 } else { 1 };
        u64::from(FIRST_INODE) + (self.writer.taken.len() + self.directories.len() - own) as u64
    }

    fn directory(&mut self, index: usize) -> io::Result<()> {
        let flat = self.directories[index];
        let added = u32::from(index == 0 && self.lost.is_none());
        let links = Some(flat.links() + added).filter(|links| *links <= LINKS_MAX).unwrap_or(1);
        let bytes = self.entries(index);
        let inode = self.encode(&flat.directory.meta, &bytes, links)?;
        let number = self.number(index);
        if number <= FIRST_INODE {
            self.own.push((number, inode));
            return Ok(());
        }
        self.writer.area.inode(&inode)
    }

    fn entries(&self, index: usize) -> Vec<u8> {
        let flat = &self.directories[index];
        let directory = |name, inode| Dirent { name, inode, kind: DIRECTORY.1 };
        let own = [directory(&b"."[..], self.number(index)), directory(b"..", self.number(flat.parent))];
        let lost = (index == 0 && self.lost.is_none()).then(|| directory(LOST, FIRST_INODE));
        let mut child = flat.first_child;
        let entries = flat.directory.entries.iter().map(|(name, entry)| match entry {
            Entry::Inode(id) => {
                let kind = self.writer.taken[id.0 as usize].kind;
                Dirent { name, inode: FIRST_INODE + 1 + id.0, kind }
            }
            Entry::Directory(_) => {
                child += 1;
                directory(name, self.number(child - 1))
            }
        });
        dirents::encode(own.into_iter().chain(lost).chain(entries))
    }

    /// Writes a directory's blocks and gives its inode.
    fn encode(&mut self, meta: &Meta, bytes: &[u8], links: u32) -> io::Result<[u8; SIZE]> {
        let first = self.writer.area.position()?;
        self.writer.area.write(bytes, &mut 0)?;
        let run = 0..(bytes.len() / BLOCK) as u64;
        let (body, blocks) = self.writer.extents(&[run], first)?;
        self.writer.encode(&File { meta, kind: DIRECTORY, size: bytes.len() as u64, links, first, blocks, body })
    }

    fn own_meta(&self, mode: u16) -> Meta {
        Meta { mode: Mode(mode), mtime: self.writer.options.epoch, ..Meta::default() }
    }

    fn make_lost(&mut self) -> io::Result<()> {
        let directory = |name, inode| Dirent { name, inode, kind: DIRECTORY.1 };
        let entries = [directory(&b"."[..], FIRST_INODE), directory(b"..", ROOT_INODE)];
        let inode = self.encode(&self.own_meta(0o700), &dirents::encode(entries.into_iter()), 2)?;
        self.own.push((FIRST_INODE, inode));
        Ok(())
    }

    fn make_journal(&mut self) -> io::Result<()> {
        let all = match self.writer.options.size {
            Size::Exact => self.writer.area.stream.position(),
            Size::Bytes(bytes) => bytes / BLOCK_SIZE,
        };
        let blocks = match self.writer.options.journal {
            super::Journal::None => 0,
            super::Journal::BySize => journal_blocks(all),
            super::Journal::Always => journal_always(all),
        };
        if blocks == 0 {
            return Ok(());
        }
        let blocks = u32::try_from(blocks).map_err(io::Error::other)?;
        let uuid = self.writer.options.seed.uuid(Purpose::FileSystem);
        let first = self.writer.area.block(&journal_head(blocks, uuid))?;
        self.writer.area.skip(u64::from(blocks) - 1)?;
        let run = 0..u64::from(blocks);
        let (body, used) = self.writer.extents(&[run], first)?;
        let (meta, size) = (self.own_meta(0o600), u64::from(blocks) * BLOCK_SIZE);
        if let Body::Extents(root) = body {
            self.journal = Some(Journal { root, size });
        }
        let file = File { meta: &meta, kind: REGULAR, size, links: 1, first, blocks: used, body };
        let inode = self.writer.encode(&file)?;
        self.own.push((JOURNAL_INODE, inode));
        Ok(())
    }

    fn close(mut self) -> io::Result<Finished> {
        if self.writer.area.has_inodes() {
            self.writer.area.table()?;
        }
        let begin = self.writer.area.position()?;
        let (total, groups) = self.room(begin)?;
        while (self.writer.area.tables.len() as u64) < groups {
            self.writer.area.table()?;
        }
        let groups = self.bitmaps(total, groups)?;
        let inodes = self.links.iter().filter(|links| **links > 0).count() + self.directories.len();
        let Self { writer, links, own, journal, .. } = self;
        let area = writer.area;
        let mut late: Vec<(u32, Late)> =
            own.into_iter().map(|(number, inode)| (number, Late::Whole(Box::new(inode)))).collect();
        for (links, number) in links.iter().zip(FIRST_INODE + 1..) {
            match links {
                0 => late.push((number, Late::Whole(Box::new([0; SIZE])))),
                1 => {}
                links => late.push((number, Late::Links(*links))),
            }
        }
        let places = late.iter().filter_map(|(number, late)| area.place_of(*number).map(|place| (place, late)));
        let mut places: Vec<_> = places.collect();
        places.sort_by_key(|(place, _)| *place);
        let seed = writer.options.seed;
        let sb = Superblock {
            total,
            geometry: area.geometry,
            groups: &groups,
            uuid: seed.uuid(Purpose::FileSystem),
            hash_seed: seed.uuid(Purpose::DirectoryHash),
            journal,
        };
        let mut settled = area.stream.settle()?;
        settled.lengthen(total)?;
        for changes in places.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
            settled.change(changes[0].0.0, |block| {
                changes.iter().for_each(|((_, at), late)| late.apply(&mut block[*at..]))
            })?;
        }
        put_copies(&mut settled, &sb)?;
        Ok(Finished { size: total * BLOCK_SIZE, inodes: inodes as u64 })
    }

    /// How many blocks and groups there are, if what is left goes behind this block.
    fn room(&self, begin: u64) -> io::Result<(u64, u64)> {
        let geometry = &self.writer.area.geometry;
        let tables = self.writer.area.tables.len() as u64;
        let end = |groups: u64| {
            let tables = (tables..groups)
                .fold(begin, |at, _| geometry.piece(at, geometry.table_blocks()) + geometry.table_blocks());
            geometry.pieces(tables, 2 * groups).last().map_or(begin, |piece| piece.end)
        };
        let mut groups = begin.div_ceil(GROUP).max(tables);
        while end(groups).div_ceil(GROUP) > groups {
            groups += 1;
        }
        // A last group that only inodes need has little more than what may be reserved in it.
        let least = (groups - 1) * GROUP + geometry.descriptor_blocks + LAST_GROUP;
        let needed = end(groups).max(if groups > 1 { least } else { 0 });
        let total = match self.writer.options.size {
            Size::Exact => needed,
            Size::Bytes(bytes) => whole_groups(bytes / BLOCK_SIZE, geometry.descriptor_blocks),
        };
        groups = total.div_ceil(GROUP);
        if total < needed || end(groups) > total {
            let needed = needed.max(end(groups)) * BLOCK_SIZE;
            let given = match self.writer.options.size {
                Size::Bytes(bytes) => bytes,
                Size::Exact => total * BLOCK_SIZE,
            };
            return Err(refused(format!("the files need an image of {needed} bytes, its size is given as {given}")));
        }
        if groups > geometry.descriptor_blocks * DESCRIPTORS {
            return Err(refused("an ext4 image of more than 128 GiB needs its size given".into()));
        }
        u32::try_from(total).map_err(|_| super::extents::too_large())?;
        Ok((total, groups))
    }

    /// Writes both bitmaps of every group, and gives what is known of the groups.
    fn bitmaps(&mut self, total: u64, count: u64) -> io::Result<Vec<Group>> {
        let per_group = self.writer.area.geometry.inodes_per_group;
        let begin = self.writer.area.position()?;
        let places: Vec<u64> = self.writer.area.geometry.pieces(begin, 2 * count).into_iter().flatten().collect();
        let end = places.last().map_or(begin, |last| last + 1);
        let mut gaps = std::mem::take(&mut self.writer.area.gaps);
        let nameless = || self.links.iter().zip(0u32..).filter(|(links, _)| **links == 0);
        gaps.extend(nameless().map(|(_, id)| {
            let taken = self.writer.taken[id as usize];
            u64::from(taken.begin)..u64::from(taken.end)
        }));
        let free_inodes: Vec<u64> = nameless().map(|(_, id)| u64::from(FIRST_INODE + id)).collect();
        let descriptor_blocks = count.div_ceil(DESCRIPTORS);
        let used = Used { total, end, gaps: &gaps, descriptor_blocks };
        let mut groups = self.groups(count, &places);
        for (group, index) in groups.iter_mut().zip(0..) {
            let (bits, free) = used.bitmap(&self.writer.area.geometry, index);
            group.free_blocks = free;
            self.writer.area.block(&bits)?;
        }
        for (group, index) in groups.iter_mut().zip(0u64..) {
            let of_group = index * u64::from(per_group)..(index + 1) * u64::from(per_group);
            let within = |inode: u64| inode.clamp(of_group.start, of_group.end) - of_group.start;
            let free: Vec<u64> =
                free_inodes.iter().filter(|inode| of_group.contains(inode)).map(|i| within(*i)).collect();
            let (bits, free) = inode_bitmap(per_group, within(self.used_inodes()), &free);
            group.free_inodes = free;
            self.writer.area.block(&bits)?;
        }
        Ok(groups)
    }

    /// The groups, without what is free in them.
    fn groups(&self, count: u64, places: &[u64]) -> Vec<Group> {
        let (blocks, inodes) = places.split_at(count as usize);
        let tables = &self.writer.area.tables;
        let group = |((block_bitmap, inode_bitmap), table): ((&u64, &u64), &u64)| Group {
            block_bitmap: *block_bitmap,
            inode_bitmap: *inode_bitmap,
            table: *table,
            free_blocks: 0,
            free_inodes: 0,
            directories: 0,
        };
        let mut groups: Vec<_> = blocks.iter().zip(inodes).zip(tables).map(group).collect();
        let per_group = self.writer.area.geometry.inodes_per_group;
        let lost = self.lost.is_none().then_some(FIRST_INODE);
        for number in (0..self.directories.len()).map(|index| self.number(index)).chain(lost) {
            groups[((number - 1) / per_group) as usize].directories += 1;
        }
        groups
    }
}

/// A change to an inode whose table is written.
enum Late {
    Whole(Box<[u8; SIZE]>),
    Links(u32),
}

impl Late {
    fn apply(&self, inode: &mut [u8]) {
        match self {
            Self::Whole(bytes) => inode[..SIZE].copy_from_slice(&**bytes),
            Self::Links(links) => set_links(inode, *links),
        }
    }
}

/// Blocks a last group has besides its descriptors; one with fewer is left out, as mke2fs does.
const LAST_GROUP: u64 = 64;

/// So many blocks, without a last group that is hardly one.
fn whole_groups(blocks: u64, descriptor_blocks: u64) -> u64 {
    let last = blocks % GROUP;
    if blocks > GROUP && last < descriptor_blocks + LAST_GROUP { blocks - last } else { blocks }
}

/// jbd2 takes no smaller one.
const SMALLEST_JOURNAL: u64 = 1024;

/// Blocks of the journal in a file system of so many that has one in any case.
pub(super) fn journal_always(blocks: u64) -> u64 {
    journal_blocks(blocks).max(SMALLEST_JOURNAL)
}

/// Blocks of the journal in a file system of so many; from 32 MiB on as mke2fs has it.
fn journal_blocks(blocks: u64) -> u64 {
    let sizes = [(8 << 10, 0), (32 << 10, 1024), (256 << 10, 4096), (512 << 10, 8192), (4 << 20, 16_384)];
    let larger = [(8 << 20, 32_768), (16 << 20, 65_536), (32 << 20, 131_072)];
    sizes.into_iter().chain(larger).find(|(below, _)| blocks < *below).map_or(262_144, |(_, journal)| journal)
}

/// Writes the superblock and the descriptors, and their copies.
fn put_copies<F: WriteAt>(settled: &mut Settled<F>, sb: &Superblock<'_>) -> io::Result<()> {
    let descriptors = descriptors(sb.groups);
    for group in (0..sb.groups.len() as u64).filter(|group| has_copy(*group)) {
        let begin = group * GROUP;
        // The first 1024 bytes of the first block are nobody's.
        let at: Range<usize> = if group == 0 { 1024..2048 } else { 0..1024 };
        settled.change(begin, |block| block[at].copy_from_slice(&sb.encode(group)))?;
        for (index, part) in (1..).zip(descriptors.chunks_exact(BLOCK)) {
            settled.change(begin + index, |block| block.copy_from_slice(part))?;
        }
    }
    Ok(())
}
