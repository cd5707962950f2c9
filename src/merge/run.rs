//! The merge itself: each layer read once, the topmost first, what seems to win given to the writer at once.
//! It knows no format on either side: layers come in by [`Layer`], the tree goes out by [`TreeWriter`].
//! The order of calls depends on the layers alone, not on threads or time.

use super::boot::{self, Boot, Maker};
use super::emit;
use super::log::{Log, OpRef};
use super::points::{self, MountPoints};
use super::replay::{self, Existing};
use super::shadow::Shadow;
use super::tree::{Leaf, Tree};
use crate::image::tree::{Content, InodeId, Meta, Piece, Special, TreeWriter};
use crate::layer::entry::{Again, Entry, Kind, Layer, LayerReader};
use crate::layer::fault::{bad, within};
use crate::layer::limits::Limits;
use crate::layer::stream::too_large;
use std::collections::BTreeSet;
use std::io;

/// What is to be merged.
pub struct Request<'a> {
    /// The layers, the topmost first.
    pub layers: Vec<&'a dyn Layer>,
    /// What is laid over all of them, and whether it may take the place of what is there.
    pub injected: Option<(&'a dyn Layer, Existing)>,
    /// Mount points for a sandbox.
    pub mount_points: MountPoints,
    /// What a virtual machine needs to start.
    pub boot: Boot,
    /// Bounds.
    pub limits: Limits,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries in all layers.
    pub entries: u64,
    /// Files whose bytes were written.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Layers that had to be read again, for bytes that only seemed to be hidden.
    pub read_again: u32,
}

/// Merges the layers into a writer; `watch` is called again and again while there is progress.
pub fn merge<W: TreeWriter>(
    request: &Request<'_>,
    writer: W,
    watch: &mut dyn FnMut(),
) -> io::Result<(W::Finished, Summary)> {
    let layers: Vec<&dyn Layer> =
        request.injected.iter().map(|(layer, _)| *layer).chain(request.layers.iter().copied()).collect();
    let log = Log::new(request.limits);
    let left = request.limits.total_size;
    let mut merging = Merging { layers, writer, watch, log, left, limits: request.limits, summary: Summary::default() };
    merging.read_all()?;
    let mut tree = merging.replay(request.injected.map(|(_, existing)| existing))?;
    if request.boot == Boot::Made {
        boot::make(&mut tree, &merging.log, request.injected.is_some(), &mut Own(&mut merging.writer))?;
    }
    if request.mount_points == MountPoints::Added {
        let writer = &mut merging.writer;
        points::add(&mut tree, &merging.log, |meta| writer.file(meta, 0, &mut Nothing))?;
    }
    merging.log.forget_names();
    merging.fetch_missing(&tree)?;
    let root = emit::root(&mut tree, &mut merging.log)?;
    Ok((merging.writer.finish(&root)?, merging.summary))
}

struct Merging<'a, W> {
    layers: Vec<&'a dyn Layer>,
    writer: W,
    watch: &'a mut dyn FnMut(),
    log: Log,
    /// Bytes that may still come out of layers.
    left: u64,
    limits: Limits,
    summary: Summary,
}

impl<W: TreeWriter> Merging<'_, W> {
    fn read_all(&mut self) -> io::Result<()> {
        let mut shadow = Shadow::default();
        for (number, layer) in (0..).zip(self.layers.clone()) {
            self.log.begin_layer();
            self.read(layer, &shadow).map_err(|error| within(layer.name(), &error))?;
            if number + 1 < self.layers.len() as u32 {
                shadow.add(&self.log, number);
            }
        }
        Ok(())
    }

    fn read(&mut self, layer: &dyn Layer, shadow: &Shadow) -> io::Result<()> {
        let mut reader = layer.open(self.left)?;
        while let Some(entry) = reader.next_entry()? {
            let wanted = layer.again() == Again::Impossible || !shadow.hides(&entry.path);
            let id = if wanted { self.write(&entry, &mut *reader)? } else { None };
            self.log.push(entry, id)?;
            self.summary.entries += 1;
            (self.watch)();
        }
        self.left = self.left.saturating_sub(reader.bytes());
        Ok(())
    }

    /// Gives an inode to the writer; directories and hard links are none of their own.
    fn write(&mut self, entry: &Entry, reader: &mut dyn LayerReader) -> io::Result<Option<InodeId>> {
        match &entry.kind {
            Kind::File(meta, size) => {
                self.summary.files += 1;
                self.summary.bytes = self.summary.bytes.saturating_add(*size);
                if self.summary.bytes > self.limits.total_size {
                    return Err(too_large(self.limits.total_size));
                }
                let mut content = Exact { inner: reader.content(), left: *size, watch: &mut *self.watch };
                let id = self.writer.file(meta, *size, &mut content);
                id.map(Some).map_err(|error| within(entry.path.shown(), &error))
            }
            Kind::Special(meta, special) => self.writer.special(meta, special).map(Some),
            Kind::Directory(_) | Kind::AnyDirectory(_) | Kind::HardLink(_) | Kind::Whiteout | Kind::Opaque => Ok(None),
        }
    }

    fn replay(&self, injected: Option<Existing>) -> io::Result<Tree> {
        let mut tree = Tree::new(self.limits.depth, self.log.budget());
        for number in (0..self.log.layers()).rev() {
            let existing = if number == 0 { injected.unwrap_or_default() } else { Existing::Replaced };
            let name = || self.layers.get(number as usize).map(|layer| layer.name()).unwrap_or_default();
            replay::apply(&mut tree, &self.log, number, existing).map_err(|error| within(name(), &error))?;
        }
        Ok(tree)
    }

    /// What seemed to be hidden and is not, since it has another name, is read now.
    fn fetch_missing(&mut self, tree: &Tree) -> io::Result<()> {
        let missing: BTreeSet<OpRef> = tree
            .leaves()
            .into_iter()
            .filter_map(|leaf| if let Leaf::Op(op) = leaf { Some(op) } else { None })
            .filter(|op| self.log.id(*op).is_none())
            .collect();
        for (number, layer) in (0..).zip(self.layers.clone()) {
            let first = OpRef { layer: number, op: 0 };
            let wanted: BTreeSet<u32> =
                missing.range(first..).take_while(|op| op.layer == number).map(|op| op.op).collect();
            if !wanted.is_empty() {
                self.fetch(layer, number, &wanted).map_err(|error| within(layer.name(), &error))?;
            }
        }
        Ok(())
    }

    fn fetch(&mut self, layer: &dyn Layer, number: u32, wanted: &BTreeSet<u32>) -> io::Result<()> {
        self.summary.read_again += 1;
        // It came within the limit the first time.
        let mut reader = layer.open(self.limits.total_size)?;
        for op in 0.. {
            let Some(entry) = reader.next_entry()? else { break };
            if wanted.contains(&op) {
                let id = self.write(&entry, &mut *reader)?.ok_or_else(|| bad("the layer has changed meanwhile"))?;
                self.log.set_id(OpRef { layer: number, op }, id);
            }
        }
        Ok(())
    }
}

/// A writer, for what no layer has.
struct Own<'a, W>(&'a mut W);

impl<W: TreeWriter> Maker for Own<'_, W> {
    fn file(&mut self, meta: &Meta) -> io::Result<InodeId> {
        self.0.file(meta, 0, &mut Nothing)
    }

    fn special(&mut self, meta: &Meta, special: &Special) -> io::Result<InodeId> {
        self.0.special(meta, special)
    }
}

/// No bytes at all.
struct Nothing;

impl Content for Nothing {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        Ok(None)
    }
}

/// A file's bytes, which are as many as was said.
struct Exact<'a> {
    inner: &'a mut dyn Content,
    left: u64,
    watch: &'a mut dyn FnMut(),
}

impl Content for Exact<'_> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        (self.watch)();
        let Some(piece) = self.inner.next_piece()? else {
            return if self.left == 0 { Ok(None) } else { Err(bad("the file ends too early")) };
        };
        let length = match piece {
            Piece::Data(bytes) => bytes.len() as u64,
            Piece::Hole(length) => length,
        };
        self.left = self.left.checked_sub(length).ok_or_else(|| bad("the file is longer than was said"))?;
        Ok(Some(piece))
    }
}
