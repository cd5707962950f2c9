//! The mount points that a sandbox needs and a read-only image cannot be given later.
//! It replaces nothing: what has the name already, even a link to nothing, stays as it is.
//! The list is that of the skeleton (meson.build, skeleton/), found with systemd 252 to 262.

use super::log::Log;
use super::tree::{Leaf, MetaOf, NodeId, Tree, What};
use crate::image::tree::{InodeId, Meta, Mode};
use crate::layer::fault::{bad, within};
use std::io;

/// Whether mount points are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountPoints {
    /// Those that are missing.
    #[default]
    Added,
    /// None.
    Left,
}

/// Directories with their permissions, parents first.
const DIRECTORIES: [(&[u8], u16); 19] = [
    (b"dev", 0o755),
    (b"etc", 0o755),
    (b"etc/ssl", 0o755),
    (b"etc/ssl/certs", 0o755),
    (b"home", 0o755),
    (b"proc", 0o755),
    (b"root", 0o700),
    (b"run", 0o755),
    (b"sys", 0o755),
    (b"tmp", 0o1777),
    (b"usr", 0o755),
    (b"var", 0o755),
    (b"var/cache", 0o755),
    (b"var/cache/private", 0o700),
    (b"var/lib", 0o755),
    (b"var/lib/private", 0o700),
    (b"var/log", 0o755),
    (b"var/log/private", 0o700),
    (b"var/tmp", 0o1777),
];

/// Empty files, to mount the host's own over.
const FILES: [&[u8]; 3] = [b"etc/machine-id", b"etc/resolv.conf", b"etc/localtime"];

/// Adds those that are missing; `file` makes an empty file.
pub(super) fn add(tree: &mut Tree, log: &Log, mut file: impl FnMut(&Meta) -> io::Result<InodeId>) -> io::Result<()> {
    for (path, mode) in DIRECTORIES {
        if let Some((parent, name)) = place(tree, log, path)? {
            tree.put(parent, name, What::Directory { meta: MetaOf::Point(mode), names: Box::default() })?;
        }
    }
    for path in FILES {
        if let Some((parent, name)) = place(tree, log, path)? {
            let id = file(&Meta { mode: Mode(0o644), ..Meta::default() })?;
            tree.put(parent, name, What::Leaf(Leaf::Made(id)))?;
        }
    }
    Ok(())
}

/// Where a name is missing.
fn place<'a>(tree: &mut Tree, log: &Log, path: &'a [u8]) -> io::Result<Option<(NodeId, &'a [u8])>> {
    let thing = || format!("adding the mount point /{} (--no-mount-points leaves them out)", path.escape_ascii());
    let parent = tree.parent_made(log, path).map_err(|error| within(thing(), &error))?;
    let (parent, name) = parent.ok_or_else(|| bad(thing()))?;
    Ok(tree.child(parent, name).is_none().then_some((parent, name)))
}
