//! The layers laid over each other, the lowest first, from the log alone.
//! It writes nothing; which bytes are still missing shows when it is done.
//! Rules: the OCI image layer specification, "Applying Changesets"; where it is silent, containerd's `archive.Apply`.
//! docs/convert.md has each decision with its reason.

use super::log::{Body, Log, Op, OpRef};
use super::tree::{Leaf, MetaOf, NodeId, Tree, What};
use crate::layer::fault::{bad, within};
use crate::layer::path::{LayerPath, split};
use std::io;

/// Whether a layer may take the place of what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It may.
    #[default]
    Replaced,
    /// It may add names and lay directories over directories, nothing else.
    Refused,
}

/// Lays one layer over the tree: first what it takes away from the layers below, then what it has, in its own order.
pub(super) fn apply(tree: &mut Tree, log: &Log, layer: u32, existing: Existing) -> io::Result<()> {
    for (_, op) in log.layer(layer) {
        match op.body {
            Body::Whiteout => whiteout(tree, log, &op.path),
            Body::Opaque => opaque(tree, log, &op.path),
            _ => {}
        }
    }
    for (at, op) in log.layer(layer) {
        place(tree, log, at, op, existing).map_err(|error| within(op.path.shown(), &error))?;
    }
    Ok(())
}

/// What is not there, or is behind something that is no directory, is as good as gone.
fn whiteout(tree: &mut Tree, log: &Log, path: &LayerPath) {
    let Some((parent, name)) = split(path.as_bytes()) else { return };
    if let Ok(way) = tree.walk(log, parent) {
        if way.missing.is_empty() {
            tree.remove(way.directory, name);
        }
    }
}

fn opaque(tree: &mut Tree, log: &Log, path: &LayerPath) {
    if let Ok(way) = tree.walk(log, path.as_bytes()) {
        if way.missing.is_empty() {
            tree.clear(way.directory);
        }
    }
}

fn place(tree: &mut Tree, log: &Log, at: OpRef, op: &Op, existing: Existing) -> io::Result<()> {
    let leaf = match &op.body {
        Body::Whiteout | Body::Opaque => return Ok(()),
        Body::Directory(_) | Body::AnyDirectory(_) => return directory(tree, log, at, op, existing),
        Body::File(_) | Body::Symlink(..) | Body::Other(_) => Leaf::Op(at),
        Body::HardLink(target) => match target_of(tree, log, target)? {
            What::Leaf(leaf) => *leaf,
            What::Directory { .. } => return Err(bad(format!("it is a hard link to {}, a directory", target.shown()))),
        },
    };
    let Some((parent, name)) = tree.parent_made(log, op.path.as_bytes())? else {
        return Err(bad("the root is no directory"));
    };
    match tree.child(parent, name) {
        Some(child) if existing == Existing::Refused && !is(tree, child, leaf) => Err(there()),
        // GNU tar writes a file that was asked for twice as a link to itself.
        Some(child) if is(tree, child, leaf) => Ok(()),
        _ => tree.put(parent, name, What::Leaf(leaf)).map(drop),
    }
}

fn is(tree: &Tree, node: NodeId, wanted: Leaf) -> bool {
    matches!(tree.what(node), What::Leaf(leaf) if *leaf == wanted)
}

fn there() -> io::Error {
    bad("there is something of this name already")
}

/// A directory over a directory is one directory with the upper one's own inode; over anything else it replaces it.
fn directory(tree: &mut Tree, log: &Log, at: OpRef, op: &Op, existing: Existing) -> io::Result<()> {
    let said = matches!(op.body, Body::Directory(_));
    let Some((parent, name)) = tree.parent_made(log, op.path.as_bytes())? else {
        if said {
            tree.set_meta(super::tree::ROOT, MetaOf::Op(at));
        }
        return Ok(());
    };
    match tree.child(parent, name).map(|child| (child, tree.what(child))) {
        Some((_, What::Directory { .. })) if !said => {}
        Some((child, What::Directory { .. })) => tree.set_meta(child, MetaOf::Op(at)),
        Some(_) if existing == Existing::Refused => return Err(there()),
        _ => {
            let what = What::Directory { meta: MetaOf::Op(at), names: Box::default() };
            tree.put(parent, name, what)?;
        }
    }
    Ok(())
}

/// What a hard link leads to: below, or earlier in its own layer. Its last name is not followed, like link(2)'s.
fn target_of<'a>(tree: &'a Tree, log: &Log, target: &LayerPath) -> io::Result<&'a What> {
    let missing = || bad(format!("it is a hard link to {}, which is not there", target.shown()));
    let (parent, name) = split(target.as_bytes()).ok_or_else(missing)?;
    let way = tree.walk(log, parent).map_err(|error| within(format!("on the way to {}", target.shown()), &error))?;
    if !way.missing.is_empty() {
        return Err(missing());
    }
    tree.child(way.directory, name).map(|child| tree.what(child)).ok_or_else(missing)
}
