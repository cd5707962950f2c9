//! The merged tree as the writer takes it: directories with their own inodes, everything else by the writer's number.
//! It decides nothing, and goes down without recursion: how deep a tree is, an archive says.

use super::log::Log;
use super::tree::{Leaf, MetaOf, NodeId, ROOT, Tree, What};
use crate::image::tree::{Directory, Entry, InodeId, Meta, Mode};
use crate::layer::fault::bad;
use std::collections::btree_map;
use std::io;

/// The permissions of a directory that is only there because something is in it.
const IMPLIED: Mode = Mode(0o755);

/// A directory whose names are being gone through.
struct Open {
    /// Its own name.
    name: Box<[u8]>,
    meta: Meta,
    ahead: btree_map::IntoIter<Box<[u8]>, NodeId>,
    done: Vec<(Box<[u8]>, Entry)>,
}

/// Takes the tree and the log apart.
pub(super) fn root(tree: &mut Tree, log: &mut Log) -> io::Result<Directory> {
    let mut open = vec![opened(tree, log, ROOT, [].into())?];
    loop {
        let top = open.last_mut().ok_or_else(|| bad("the tree has no root"))?;
        match top.ahead.next() {
            Some((name, child)) => match tree.what(child) {
                What::Leaf(leaf) => top.done.push((name, Entry::Inode(id(log, *leaf)?))),
                What::Directory { .. } => open.push(opened(tree, log, child, name)?),
            },
            None => {
                let Some(Open { name, meta, done, .. }) = open.pop() else { continue };
                let directory = Directory { meta, entries: done.into_iter().collect() };
                match open.last_mut() {
                    Some(parent) => parent.done.push((name, Entry::Directory(directory))),
                    None => return Ok(directory),
                }
            }
        }
    }
}

fn opened(tree: &mut Tree, log: &mut Log, node: NodeId, name: Box<[u8]>) -> io::Result<Open> {
    let What::Directory { meta, names } = tree.take(node) else { return Err(bad("the root is no directory")) };
    let meta = match meta {
        MetaOf::Op(op) => log.take_meta(op).ok_or_else(|| bad("a directory is gone from the log"))?,
        MetaOf::Nobody => Meta { mode: IMPLIED, ..Meta::default() },
        MetaOf::Point(mode) => Meta { mode: Mode(mode), ..Meta::default() },
    };
    Ok(Open { name, meta, ahead: (*names).into_iter(), done: Vec::new() })
}

fn id(log: &Log, leaf: Leaf) -> io::Result<InodeId> {
    match leaf {
        Leaf::Made(id) => Ok(id),
        Leaf::Op(op) => log.id(op).ok_or_else(|| bad("the layer has changed meanwhile")),
    }
}
