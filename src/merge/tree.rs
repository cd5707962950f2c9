//! The tree of names while the layers are laid over each other.
//! It holds no bytes and no metadata: a name leads to a directory, or to what the log has.
//! Links on the way to a name are followed inside the root only, as the kernel would after chroot(2): path_resolution(7).

use super::budget::Budget;
use super::log::{Log, OpRef};
use crate::image::tree::InodeId;
use crate::layer::fault::{bad, shown};
use crate::layer::limits::NAME_MAX;
use crate::layer::path::split;
use std::collections::BTreeMap;
use std::io;

/// A name's place in the arena.
pub(super) type NodeId = u32;
/// The root directory, which is its own parent.
pub(super) const ROOT: NodeId = 0;
/// Links on the way to one name: the kernel's `MAXSYMLINKS`.
const LINKS: usize = 40;

/// Where a directory's own inode comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetaOf {
    /// A layer says it.
    Op(OpRef),
    /// No layer says anything.
    Nobody,
    /// It is a mount point with these permissions.
    Point(u16),
}

/// What a name leads to that is no directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// What a layer said.
    Op(OpRef),
    /// What the writer was given besides.
    Made(InodeId),
}

#[allow(clippy::box_collection, reason = "most are leaves, and small this way")]
#[derive(Debug)]
pub(super) enum What {
    Directory { meta: MetaOf, names: Box<BTreeMap<Box<[u8]>, NodeId>> },
    Leaf(Leaf),
}

#[derive(Debug)]
struct Node {
    parent: NodeId,
    /// Directories above it; the limit is far below 2¹⁶.
    depth: u16,
    what: What,
}

/// The directory that a way leads to, as far as it exists, and the names that do not.
#[derive(Debug)]
pub(super) struct Way<'a> {
    pub(super) directory: NodeId,
    pub(super) missing: Vec<&'a [u8]>,
}

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    depth: u16,
    budget: Budget,
}

impl Tree {
    /// An empty root; directories may be so deep, and no more than the budget has for.
    pub(super) fn new(depth: usize, budget: Budget) -> Self {
        let what = What::Directory { meta: MetaOf::Nobody, names: Box::default() };
        let depth = u16::try_from(depth).unwrap_or(u16::MAX - 1);
        Self { nodes: vec![Node { parent: ROOT, depth: 0, what }], depth, budget }
    }

    pub(super) fn what(&self, node: NodeId) -> &What {
        &self.nodes[node as usize].what
    }

    /// Takes what a name leads to out of the tree.
    pub(super) fn take(&mut self, node: NodeId) -> What {
        std::mem::replace(
            &mut self.nodes[node as usize].what,
            What::Directory { meta: MetaOf::Nobody, names: Box::default() },
        )
    }

    /// What a name in a directory leads to.
    pub(super) fn child(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        match self.what(directory) {
            What::Directory { names, .. } => names.get(name).copied(),
            What::Leaf(_) => None,
        }
    }

    /// Goes to a directory, through links; the error is why there is no way.
    pub(super) fn walk<'a>(&self, log: &'a Log, path: &'a [u8]) -> io::Result<Way<'a>> {
        let mut ahead: Vec<&[u8]> = path.rsplit(|byte| *byte == b'/').collect();
        let mut way = Way { directory: ROOT, missing: Vec::new() };
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if matches!(name, b"" | b".") {
                continue;
            }
            if name == b".." {
                if way.missing.pop().is_none() {
                    way.directory = self.nodes[way.directory as usize].parent;
                }
                continue;
            }
            let child = if way.missing.is_empty() { self.child(way.directory, name) } else { None };
            match child.map(|child| (child, self.what(child))) {
                None => way.missing.push(name),
                Some((child, What::Directory { .. })) => way.directory = child,
                Some((_, What::Leaf(leaf))) => {
                    let target = link(log, *leaf).ok_or_else(|| bad(format!("{} is no directory", shown(name))))?;
                    links += 1;
                    if links > LINKS {
                        return Err(bad(format!("more than {LINKS} links are on the way")));
                    }
                    if target.starts_with(b"/") {
                        way.directory = ROOT;
                    }
                    ahead.extend(target.rsplit(|byte| *byte == b'/'));
                }
            }
        }
        Ok(way)
    }

    /// The directory of a name, made where it is missing, and the name in it; none for the root.
    pub(super) fn parent_made<'a>(&mut self, log: &Log, path: &'a [u8]) -> io::Result<Option<(NodeId, &'a [u8])>> {
        let Some((parent, name)) = split(path) else { return Ok(None) };
        let Way { mut directory, missing } = self.walk(log, parent)?;
        for name in missing {
            // Nobody has said it, so the log has not counted it: one long name may imply hundreds.
            self.budget.entry()?;
            let what = What::Directory { meta: MetaOf::Nobody, names: Box::default() };
            directory = self.put(directory, name, what)?;
        }
        Ok(Some((directory, name)))
    }

    /// Gives a name in a directory to something new; what was there is gone, with all below it.
    pub(super) fn put(&mut self, directory: NodeId, name: &[u8], what: What) -> io::Result<NodeId> {
        let depth = self.nodes[directory as usize].depth + 1;
        if depth > self.depth {
            return Err(bad(format!("it is deeper than {} directories", self.depth)));
        }
        if name.len() > NAME_MAX {
            return Err(bad(format!("a link leads to a name of {} bytes, {NAME_MAX} are possible", name.len())));
        }
        if matches!(what, What::Directory { .. }) {
            self.budget.directory(name)?;
        }
        let node = NodeId::try_from(self.nodes.len()).map_err(|_| bad("there are too many names"))?;
        self.nodes.push(Node { parent: directory, depth, what });
        if let What::Directory { names, .. } = &mut self.nodes[directory as usize].what {
            names.insert(name.into(), node);
        }
        Ok(node)
    }

    /// Says where a directory's own inode comes from.
    pub(super) fn set_meta(&mut self, directory: NodeId, from: MetaOf) {
        if let What::Directory { meta, .. } = &mut self.nodes[directory as usize].what {
            *meta = from;
        }
    }

    pub(super) fn remove(&mut self, directory: NodeId, name: &[u8]) {
        if let What::Directory { names, .. } = &mut self.nodes[directory as usize].what {
            names.remove(name);
        }
    }

    pub(super) fn clear(&mut self, directory: NodeId) {
        if let What::Directory { names, .. } = &mut self.nodes[directory as usize].what {
            names.clear();
        }
    }

    /// All that names lead to and that is no directory, in order of the names.
    pub(super) fn leaves(&self) -> Vec<Leaf> {
        let (mut leaves, mut ahead) = (Vec::new(), vec![ROOT]);
        while let Some(node) = ahead.pop() {
            match self.what(node) {
                What::Leaf(leaf) => leaves.push(*leaf),
                What::Directory { names, .. } => ahead.extend(names.values().rev()),
            }
        }
        leaves
    }
}

fn link(log: &Log, leaf: Leaf) -> Option<&[u8]> {
    match leaf {
        Leaf::Op(op) => log.symlink(op),
        Leaf::Made(_) => None,
    }
}
