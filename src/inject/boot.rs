//! What lets a virtual machine start from a root: a first program that can run, and nothing that says which machine it is.
//! It starts nothing. While a container image is converted, `merge::boot` makes the same; that it holds is shown here.
//! Rules: the kernel's `init/main.c` (which programs it tries), machine-id(5), resolv.conf(5); docs/inject.md, "Roots that
//! start a machine".

use super::resolve::Root;
use super::wish::{AGENT, Bytes, Image, Injection, Purpose, What};
use crate::image::read;
use crate::image::tree::{Directory, Entry, Meta, Mode, Special};
use crate::layer::fault::bad;
use crate::layer::path::LayerPath;
use crate::verity::tree::ReadAt;
use std::io;

/// The programs that the kernel tries, but for a shell.
pub const INITS: [&[u8]; 3] = [b"sbin/init", b"etc/init", b"bin/init"];
/// What a machine has that is its own; an empty file is filled in when it starts.
pub const MACHINE_ID: &[u8] = b"etc/machine-id";
/// Name servers are those of where the machine runs; a link leads to whoever sees to them.
pub const RESOLV_CONF: &[u8] = b"etc/resolv.conf";
/// What a link to the agent says, beside it.
pub const INIT_IS_AGENT: &[u8] = b"vm-agent";
/// Why no machine could start.
pub const NO_INIT: &str = "no virtual machine could start from it: it has no /sbin/init, and no agent at /sbin/vm-agent \
    that could be one";

/// What is put into an image besides, so that a machine can start from it.
pub fn wanted<D: ReadAt>(
    image: &Image<D>,
    names: &Directory,
    asked: &[Injection<Bytes>],
) -> io::Result<Vec<Injection<Bytes>>> {
    let root = Root { image, names: names.clone(), injections: &[] };
    let is_asked = |path: &[u8]| asked.iter().any(|injection| injection.target.as_bytes() == path);
    let is_there = |path: &[u8]| -> io::Result<bool> { Ok(is_asked(path) || root.leads_to(path)?.is_some()) };
    let mut list = Vec::new();
    for path in [MACHINE_ID, RESOLV_CONF] {
        let stays = is_asked(path) || (path == RESOLV_CONF && root.is_link(path)?);
        if !stays {
            let empty = Bytes::new("an empty file".into(), 0, Box::new(Vec::new()))?;
            list.push(own(path, What::File(empty), Mode(0o644))?);
        }
    }
    for path in INITS {
        if is_there(path)? {
            return Ok(list);
        }
    }
    match is_there(AGENT)? {
        true => list.push(own(INITS[0], What::Link(INIT_IS_AGENT.into()), Mode(0o777))?),
        false => return Err(bad(NO_INIT)),
    }
    Ok(list)
}

fn own(path: &[u8], what: What<Bytes>, mode: Mode) -> io::Result<Injection<Bytes>> {
    let meta = Meta { mode, ..Meta::default() };
    Ok(Injection { target: LayerPath::parse(path)?, what, meta, purpose: Purpose::Boot })
}

/// Why no machine could start from an image, or why its agent could not run, in sentences; empty if all is well.
pub fn faults<D: ReadAt>(image: &Image<D>, names: Directory) -> io::Result<Vec<String>> {
    let root = Root { image, names, injections: &[] };
    root.boot_faults()
}

impl<D: ReadAt> Root<'_, D> {
    /// The first of the programs that the kernel tries, and the agent.
    pub(super) fn boot_faults(&self) -> io::Result<Vec<String>> {
        let (mut said, mut has_init) = (Vec::new(), false);
        for path in INITS.into_iter().chain([AGENT]) {
            let path = LayerPath::parse(path)?;
            let is_agent = path.as_bytes() == AGENT;
            if has_init && !is_agent {
                continue;
            }
            let Some(faults) = self.faults(&path)? else { continue };
            has_init |= !is_agent;
            said.extend(faults.into_iter().map(|why| format!("{} cannot run in this image: {why}", path.shown())));
        }
        if !has_init {
            said.push(NO_INIT.into());
        }
        Ok(said)
    }

    /// Whether a name is a link.
    fn is_link(&self, path: &[u8]) -> io::Result<bool> {
        let path = LayerPath::parse(path)?;
        let Some((parent, name)) = path.split() else { return Ok(false) };
        let Ok(way) = self.walk(parent.as_bytes()) else { return Ok(false) };
        let directory = if way.missing.is_empty() { self.directory(&way.there) } else { None };
        let Some(Entry::Inode(id)) = directory.and_then(|directory| directory.entries.get(name)) else {
            return Ok(false);
        };
        let inode = self.image.inode(*id)?;
        Ok(matches!(inode, Some(read::Inode { what: read::What::Special(Special::Symlink(_)), .. })))
    }
}

/// Why the agent of an image cannot run there, in sentences; empty if it can, or if there is none.
pub fn agent_faults<D: ReadAt>(image: &Image<D>, names: Directory) -> io::Result<Vec<String>> {
    let root = Root { image, names, injections: &[] };
    let faults = root.faults(&LayerPath::parse(AGENT)?)?.unwrap_or_default();
    Ok(faults.into_iter().map(|why| format!("/sbin/vm-agent cannot run in this image: {why}")).collect())
}
