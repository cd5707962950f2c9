//! Everything that the layers say, remembered without the files' bytes until all of them have spoken.
//! It decides nothing: the log is replayed from the lowest layer up by `replay`.
//! How much it remembers is bounded by `budget`.

use super::budget::Budget;
use crate::image::tree::{InodeId, Meta, Special};
use crate::layer::entry::{Entry, Kind};
use crate::layer::limits::Limits;
use crate::layer::path::LayerPath;
use std::io;

/// One thing said, by its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OpRef {
    /// The layer, the topmost first.
    pub(super) layer: u32,
    /// The how-many-th entry of it.
    pub(super) op: u32,
}

#[derive(Debug)]
pub(super) struct Op {
    pub(super) path: LayerPath,
    pub(super) body: Body,
}

/// What was said, with the writer's number of the inode if the writer has it.
#[derive(Debug)]
pub(super) enum Body {
    Directory(Box<Meta>),
    /// Only if there is none below.
    AnyDirectory(Box<Meta>),
    /// Its bytes may have been left out, since a higher layer seemed to hide it.
    File(Option<InodeId>),
    /// What it says is kept: other names may lead through it.
    Symlink(Box<[u8]>, Option<InodeId>),
    Other(Option<InodeId>),
    HardLink(LayerPath),
    Whiteout,
    Opaque,
}

#[derive(Debug)]
pub(super) struct Log {
    layers: Vec<Vec<Op>>,
    budget: Budget,
}

impl Log {
    pub(super) fn new(limits: Limits) -> Self {
        Self { layers: Vec::new(), budget: Budget::new(limits) }
    }

    /// The next layer down begins.
    pub(super) fn begin_layer(&mut self) {
        self.layers.push(Vec::new());
    }

    /// Remembers what the present layer says.
    pub(super) fn push(&mut self, entry: Entry, id: Option<InodeId>) -> io::Result<()> {
        self.budget.entry()?;
        self.budget.names(size(&entry))?;
        let body = match entry.kind {
            Kind::Directory(meta) => Body::Directory(Box::new(meta)),
            Kind::AnyDirectory(meta) => Body::AnyDirectory(Box::new(meta)),
            Kind::File(..) => Body::File(id),
            Kind::Special(_, Special::Symlink(target)) => Body::Symlink(target, id),
            Kind::Special(..) => Body::Other(id),
            Kind::HardLink(target) => Body::HardLink(target),
            Kind::Whiteout => Body::Whiteout,
            Kind::Opaque => Body::Opaque,
        };
        if let Some(layer) = self.layers.last_mut() {
            layer.push(Op { path: entry.path, body });
        }
        Ok(())
    }

    /// What what was said leaves for the tree.
    pub(super) fn budget(&self) -> Budget {
        self.budget
    }

    pub(super) fn layers(&self) -> u32 {
        self.layers.len() as u32
    }

    /// What a layer says, in its own order.
    pub(super) fn layer(&self, layer: u32) -> impl Iterator<Item = (OpRef, &Op)> {
        let ops = self.layers.get(layer as usize).into_iter().flatten();
        (0..).zip(ops).map(move |(op, said)| (OpRef { layer, op }, said))
    }

    fn get(&self, at: OpRef) -> Option<&Op> {
        self.layers.get(at.layer as usize)?.get(at.op as usize)
    }

    /// What a link says; nothing if it is none.
    pub(super) fn symlink(&self, at: OpRef) -> Option<&[u8]> {
        match &self.get(at)?.body {
            Body::Symlink(target, _) => Some(target),
            _ => None,
        }
    }

    /// The writer's number.
    pub(super) fn id(&self, at: OpRef) -> Option<InodeId> {
        match self.get(at)?.body {
            Body::File(id) | Body::Symlink(_, id) | Body::Other(id) => id,
            _ => None,
        }
    }

    /// The writer has taken it after all.
    pub(super) fn set_id(&mut self, at: OpRef, taken: InodeId) {
        let op = self.layers.get_mut(at.layer as usize).and_then(|layer| layer.get_mut(at.op as usize));
        if let Some(Body::File(id) | Body::Symlink(_, id) | Body::Other(id)) = op.map(|op| &mut op.body) {
            *id = Some(taken);
        }
    }

    /// Names are not needed behind the replay: their memory is for the tree that comes out.
    pub(super) fn forget_names(&mut self) {
        for op in self.layers.iter_mut().flatten() {
            op.path = LayerPath::default();
        }
    }

    /// Takes a directory's own inode out.
    pub(super) fn take_meta(&mut self, at: OpRef) -> Option<Meta> {
        let op = self.layers.get_mut(at.layer as usize)?.get_mut(at.op as usize)?;
        match &mut op.body {
            Body::Directory(meta) | Body::AnyDirectory(meta) => Some(std::mem::take(meta)),
            _ => None,
        }
    }
}

/// Bytes of an entry that stay in memory.
fn size(entry: &Entry) -> u64 {
    let more = match &entry.kind {
        Kind::Directory(meta) | Kind::AnyDirectory(meta) => {
            meta.xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len() + 32).sum()
        }
        Kind::Special(_, Special::Symlink(target)) => target.len(),
        Kind::HardLink(target) => target.as_bytes().len(),
        _ => 0,
    };
    (entry.path.as_bytes().len() + more) as u64
}
