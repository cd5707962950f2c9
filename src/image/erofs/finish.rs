//! The end of an EROFS image: directories, numbers of links, what was left open, the superblock.
//! It takes no more files.
//! Directories know each other's places before one is written, since each names its parent and its children.

use super::dirents::{self, Dirent, Target};
use super::format::{
    Form, Inode, Kind, Layout, NO_BLOCK, ROOT_AT, SLOT, Superblock, address, extended, form_of, set_links,
};
use super::packing::{Packed, Place};
use super::{Finished, Taken, Writer, xattr};
use crate::image::blocks::{Hashing, WriteAt};
use crate::image::bytes::{u16_at, u32_at};
use crate::image::directories::{Flat, count_links, flatten};
use crate::image::identity::Purpose;
use crate::image::tree::{Directory, Entry};
use crate::verity::build::BLOCK;
use std::io;

/// A directory, laid out but for what its entries lead to.
struct Planned {
    xattrs: Vec<u8>,
    size: u64,
    form: Form,
    layout: Layout,
    /// None for the root, which has its place.
    place: Option<Place>,
}

/// A change to a block that is written.
struct LateLinks {
    block: u32,
    offset: usize,
    links: u32,
}

/// An image whose files are all there.
struct Ending<'a, F: WriteAt> {
    writer: Writer<F>,
    directories: Vec<Flat<'a>>,
    planned: Vec<Planned>,
    /// Blocks of inodes that are not written yet, in order; the first goes to `kept_at`.
    kept: Vec<Packed>,
    kept_at: u32,
    first_block: Box<[u8; BLOCK]>,
}

/// Writes what is left of an image.
pub(super) fn finish<F: WriteAt>(mut writer: Writer<F>, root: &Directory) -> io::Result<Finished> {
    let directories = flatten(root)?;
    let links = count_links(&directories, writer.inodes.len())?;
    writer.make_room_for_links(&links)?;
    writer.xattrs.lift_bound();
    let (planned, kept) = (Vec::with_capacity(directories.len()), Vec::new());
    let mut ending = Ending { writer, directories, planned, kept, kept_at: 0, first_block: Box::new([0; BLOCK]) };
    ending.plan_all()?;
    ending.give_addresses()?;
    for index in 0..ending.directories.len() {
        ending.directory(index)?;
    }
    let late = ending.set_links(&links);
    let inodes = links.iter().filter(|links| **links > 0).count() + ending.directories.len();
    ending.write_rest(inodes as u64, &late)
}

impl<F: WriteAt> Ending<'_, F> {
    /// Lays every directory out.
    fn plan_all(&mut self) -> io::Result<()> {
        for index in 0..self.directories.len() {
            let planned = self.plan(index)?;
            self.planned.push(planned);
        }
        self.kept.extend(std::mem::take(&mut self.writer.packing).into_rest());
        self.kept.sort_unstable_by_key(|block| block.sequence);
        Ok(())
    }

    fn plan(&mut self, index: usize) -> io::Result<Planned> {
        let flat = self.directories[index];
        let xattrs = self.writer.xattrs.behind_inode(&flat.directory.meta.xattrs)?;
        let size = dirents::size(dirents::names(flat.directory).map(|(name, _)| name));
        let epoch = self.writer.options.epoch;
        let form = Form::of(&flat.directory.meta, size, flat.links(), Layout::Plain(0), epoch);
        let room = if index == 0 { BLOCK - ROOT_AT } else { BLOCK };
        let own = form.size() + xattrs.len();
        if own > room {
            let said =
                format!("a directory has {} extended attributes, too many for EROFS", flat.directory.meta.xattrs.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
        }
        let tail = size as usize % BLOCK;
        let inline = tail > 0 && own + tail <= room;
        let layout = if inline { Layout::Inline(NO_BLOCK) } else { Layout::Plain(NO_BLOCK) };
        let mut place = None;
        if index > 0 {
            let record = vec![0; own + if inline { tail } else { 0 }];
            let (found, given) = self.writer.packing.place(&record);
            place = Some(found);
            self.kept.extend(given);
        }
        Ok(Planned { xattrs, size, form, layout, place })
    }

    /// Says where directories' blocks will be, and behind them the inodes'.
    fn give_addresses(&mut self) -> io::Result<()> {
        let mut next = self.writer.stream.position();
        for planned in &mut self.planned {
            let begin = address(next)?;
            let (blocks, layout) = match planned.layout {
                Layout::Inline(_) => (planned.size / BLOCK as u64, Layout::Inline(begin)),
                _ => (planned.size.div_ceil(BLOCK as u64), Layout::Plain(begin)),
            };
            if blocks > 0 {
                planned.layout = layout;
            }
            next += blocks;
        }
        self.kept_at = address(next)?;
        address(next + self.kept.len() as u64)?;
        for (block, at) in self.kept.iter().zip(self.kept_at..) {
            self.writer.set_address(block.sequence, at);
        }
        Ok(())
    }

    /// Writes a directory's blocks, and its inode into its block.
    fn directory(&mut self, index: usize) -> io::Result<()> {
        let entries = self.entries(index);
        let (flat, planned) = (&self.directories[index], &self.planned[index]);
        let inode = Inode {
            form: planned.form,
            kind: Kind::Directory,
            meta: &flat.directory.meta,
            size: planned.size,
            links: flat.links(),
            layout: planned.layout,
            number: (self.writer.inodes.len() + 1 + index) as u32,
            xattr_count: xattr::count_field(&planned.xattrs)?,
        };
        let mut record = Vec::new();
        inode.append(&mut record);
        record.extend_from_slice(&planned.xattrs);
        let straight = match planned.layout {
            Layout::Inline(_) => entries.len() / BLOCK * BLOCK,
            _ => entries.len(),
        };
        record.extend_from_slice(&entries[straight..]);
        let (block, at) = match planned.place {
            None => (&mut self.first_block, ROOT_AT),
            Some(place) => {
                let kept = self.writer.addresses[place.sequence as usize] - self.kept_at;
                (&mut self.kept[kept as usize].bytes, place.offset())
            }
        };
        block[at..at + record.len()].copy_from_slice(&record);
        self.writer.stream.write(&entries[..straight])?;
        self.writer.stream.pad()
    }

    fn entries(&self, index: usize) -> Vec<u8> {
        let flat = &self.directories[index];
        let mut child = flat.first_child;
        dirents::encode(dirents::names(flat.directory).map(|(name, target)| {
            let (inode, kind) = match target {
                Target::This => (self.number(index), Kind::Directory),
                Target::Parent => (self.number(flat.parent), Kind::Directory),
                Target::Entry(Entry::Directory(_)) => {
                    child += 1;
                    (self.number(child - 1), Kind::Directory)
                }
                Target::Entry(Entry::Inode(id)) => {
                    let Taken { place, kind } = self.writer.inodes[id.0 as usize];
                    (self.number_at(place), kind)
                }
            };
            Dirent { name, inode, kind }
        }))
    }

    /// A directory's number.
    fn number(&self, index: usize) -> u64 {
        self.planned[index].place.map_or((ROOT_AT / SLOT) as u64, |place| self.number_at(place))
    }

    fn number_at(&self, place: Place) -> u64 {
        let block = u64::from(self.writer.addresses[place.sequence as usize]);
        block * (BLOCK / SLOT) as u64 + u64::from(place.slot)
    }

    /// Tells inodes how many names they have; those whose block is written come back.
    fn set_links(&mut self, links: &[u32]) -> Vec<LateLinks> {
        let mut late = Vec::new();
        for (taken, links) in self.writer.inodes.iter().zip(links).filter(|(_, links)| **links > 1) {
            let (block, offset) = (self.writer.addresses[taken.place.sequence as usize], taken.place.offset());
            match block.checked_sub(self.kept_at) {
                Some(kept) => set_links(&mut self.kept[kept as usize].bytes[offset..], *links),
                None => late.push(LateLinks { block, offset, links: *links }),
            }
        }
        late.sort_unstable_by_key(|change| (change.block, change.offset));
        late
    }

    fn write_rest(self, inodes: u64, late: &[LateLinks]) -> io::Result<Finished> {
        let Self { mut writer, kept, mut first_block, .. } = self;
        for block in &kept {
            writer.stream.write(&*block.bytes)?;
        }
        let shared_xattrs = address(writer.stream.position())?;
        writer.stream.write(writer.xattrs.area())?;
        let mut settled = writer.stream.settle()?;
        for changes in late.chunk_by(|one, other| one.block == other.block) {
            settled.change(u64::from(changes[0].block), |block| {
                changes.iter().for_each(|change| set_links(&mut block[change.offset..], change.links));
            })?;
        }
        let sb = Superblock {
            inodes,
            epoch: writer.options.epoch,
            blocks: address(settled.blocks())?,
            shared_xattrs,
            uuid: writer.options.seed.uuid(Purpose::FileSystem),
            chunked: writer.chunked,
        };
        sb.put(&mut first_block);
        settled.change(0, |block| *block = *first_block)?;
        let size = settled.blocks() * BLOCK as u64;
        let Hashing::Leaves(leaves) = settled.into_hashing() else {
            return Err(io::Error::other("an EROFS image's digests are always made"));
        };
        Ok(Finished { size, inodes, tree: leaves.build(writer.options.seed.uuid(Purpose::HashTree))? })
    }
}

impl<F: WriteAt> Writer<F> {
    /// Gives compact inodes that have more links than such a one holds a larger one in another place.
    fn make_room_for_links(&mut self, links: &[u32]) -> io::Result<()> {
        for (index, links) in links.iter().enumerate() {
            if *links > u32::from(u16::MAX) {
                self.make_extended(index)?;
            }
        }
        Ok(())
    }

    fn make_extended(&mut self, index: usize) -> io::Result<()> {
        let place = self.inodes[index].place;
        let mut block = [0; BLOCK];
        match self.addresses.get(place.sequence as usize).filter(|address| **address != NO_BLOCK) {
            Some(address) => self.stream.read_back(u64::from(*address), &mut block)?,
            None => self.packing.copy_open(place.sequence, &mut block),
        }
        let compact = &block[place.offset()..];
        if form_of(compact) == Form::Extended {
            return Ok(());
        }
        let record = extended(&compact[..record_size(compact)], self.options.epoch);
        self.inodes[index].place = self.place(&record)?;
        Ok(())
    }
}

/// The size of a compact inode with what stands behind it.
fn record_size(compact: &[u8]) -> usize {
    let xattrs = match usize::from(u16_at(compact, 2)) {
        0 => 0,
        count => 12 + (count - 1) * 4,
    };
    let inline = u16_at(compact, 0) >> 1 == 2;
    Form::Compact.size() + xattrs + if inline { u32_at(compact, 8) as usize % BLOCK } else { 0 }
}
