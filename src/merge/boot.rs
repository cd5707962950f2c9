//! What lets a virtual machine start from merged layers: an init, and files that say which machine it is, made empty.
//! That what is there can run is not looked at here: `inject::boot` does, in the image that was written.
//! Rules: those of `inject::boot`; what is injected stays as it is.

use super::log::Log;
use super::tree::{Leaf, NodeId, Tree, What};
use crate::image::tree::{InodeId, Meta, Mode, Special};
use crate::inject::AGENT;
use crate::inject::boot::{INIT_IS_AGENT, INITS, MACHINE_ID, NO_INIT, RESOLV_CONF};
use crate::layer::fault::bad;
use crate::layer::path::split;
use std::io;

/// Whether a root is made one that a virtual machine can start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boot {
    /// It stays as it is.
    #[default]
    Left,
    /// It is.
    Made,
}

/// Links on the way to one name: the kernel's `MAXSYMLINKS`.
const LINKS: usize = 40;

/// What makes inodes that no layer has.
pub(super) trait Maker {
    /// An empty file.
    fn file(&mut self, meta: &Meta) -> io::Result<InodeId>;

    /// A link.
    fn special(&mut self, meta: &Meta, special: &Special) -> io::Result<InodeId>;
}

/// Makes what is missing, and empties what is another machine's; the topmost layer is what is injected, if anything is.
pub(super) fn make(tree: &mut Tree, log: &Log, injected: bool, maker: &mut impl Maker) -> io::Result<()> {
    for path in [MACHINE_ID, RESOLV_CONF] {
        let Some((parent, name)) = tree.parent_made(log, path)? else { continue };
        let own = match leaf(tree, parent, name) {
            Some(Leaf::Op(op)) => (injected && op.layer == 0) || (path == RESOLV_CONF && log.symlink(op).is_some()),
            _ => false,
        };
        if !own {
            let id = maker.file(&Meta { mode: Mode(0o644), ..Meta::default() })?;
            tree.put(parent, name, What::Leaf(Leaf::Made(id)))?;
        }
    }
    if INITS.iter().any(|path| leads_to_file(tree, log, path)) {
        return Ok(());
    }
    if !leads_to_file(tree, log, AGENT) {
        return Err(bad(NO_INIT));
    }
    if let Some((parent, name)) = tree.parent_made(log, INITS[0])? {
        let meta = Meta { mode: Mode(0o777), ..Meta::default() };
        let id = maker.special(&meta, &Special::Symlink(INIT_IS_AGENT.into()))?;
        tree.put(parent, name, What::Leaf(Leaf::Made(id)))?;
    }
    Ok(())
}

fn leaf(tree: &Tree, directory: NodeId, name: &[u8]) -> Option<Leaf> {
    match tree.what(tree.child(directory, name)?) {
        What::Leaf(leaf) => Some(*leaf),
        What::Directory { .. } => None,
    }
}

/// Whether a path leads to something that is neither a directory nor a link, through all links.
fn leads_to_file(tree: &Tree, log: &Log, path: &[u8]) -> bool {
    let mut path = path.to_vec();
    for _ in 0..=LINKS {
        let Some((parent, name)) = split(&path) else { return false };
        // Where no way leads there is no file.
        let Some(way) = tree.walk(log, parent).ok().filter(|way| way.missing.is_empty()) else { return false };
        let target = match leaf(tree, way.directory, name) {
            None => return false,
            Some(Leaf::Made(_)) => return true,
            Some(Leaf::Op(op)) => log.symlink(op),
        };
        path = match target {
            None => return true,
            Some(target) if target.starts_with(b"/") => target.to_vec(),
            Some(target) => [parent, b"/", target].concat(),
        };
    }
    false
}
