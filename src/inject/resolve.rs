//! Names in a root: links among the directories on the way are followed, inside the root and nowhere else.
//! It looks at no disk and makes nothing; what is missing on the way comes back as names.
//! Rules: path_resolution(7) as seen from inside: `..` of the root is the root, an absolute link begins there.

use super::wish::{Bytes, Image, Injection};
use crate::image::read;
use crate::image::tree::{Directory, Entry, InodeId, Special};
use crate::layer::fault::{bad, shown};
use crate::verity::tree::ReadAt;
use std::io;

/// Links on one way (`MAXSYMLINKS`, linux/namei.h).
const LINKS: usize = 40;

/// A root on its way from what it is to what it is to be.
pub(super) struct Root<'a, D> {
    pub(super) image: &'a Image<D>,
    /// Its names as they are to be. Inodes that the image does not have are injected ones, by their place in the list.
    pub(super) names: Directory,
    /// What is put in.
    pub(super) injections: &'a [Injection<Bytes>],
}

/// A name's directory: names from the root down that are there, and those that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) there: Vec<Box<[u8]>>,
    pub(super) missing: Vec<Box<[u8]>>,
}

impl Way {
    /// All its names.
    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.there.iter().chain(&self.missing).map(|name| &**name)
    }
}

impl<D: ReadAt> Root<'_, D> {
    /// The injection that an inode stands for, if it is none of the image's.
    pub(super) fn injection(&self, id: InodeId) -> Option<&Injection<Bytes>> {
        let index = (id.0 as usize).checked_sub(self.image.inodes.len())?;
        self.injections.get(index)
    }

    /// What a link says; nothing of what is no link.
    fn link(&self, id: InodeId) -> io::Result<Option<Box<[u8]>>> {
        if let Some(injection) = self.injection(id) {
            return Ok(match &injection.what {
                super::What::Link(target) => Some(target.clone()),
                _ => None,
            });
        }
        Ok(match self.image.inode(id)? {
            Some(read::Inode { what: read::What::Special(Special::Symlink(target)), .. }) => Some(target),
            _ => None,
        })
    }

    /// The directory with these names, if it is there.
    pub(super) fn directory(&self, names: &[Box<[u8]>]) -> Option<&Directory> {
        names.iter().try_fold(&self.names, |directory, name| match directory.entries.get(name) {
            Some(Entry::Directory(below)) => Some(below),
            _ => None,
        })
    }

    /// The way to a directory, through links; the error is why there is none.
    pub(super) fn walk(&self, path: &[u8]) -> io::Result<Way> {
        let mut ahead: Vec<Box<[u8]>> = parts(path);
        let mut way = Way { there: Vec::new(), missing: Vec::new() };
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            match &*name {
                b"" | b"." => continue,
                b".." => {
                    if way.missing.pop().is_none() {
                        way.there.pop();
                    }
                    continue;
                }
                _ => {}
            }
            let child = if way.missing.is_empty() { self.directory(&way.there) } else { None };
            match child.and_then(|directory| directory.entries.get(&name)) {
                None => way.missing.push(name),
                Some(Entry::Directory(_)) => way.there.push(name),
                Some(Entry::Inode(id)) => {
                    let target = self.link(*id)?.ok_or_else(|| bad(format!("{} is no directory", shown(&name))))?;
                    links += 1;
                    if links > LINKS {
                        return Err(bad(format!("more than {LINKS} links are on the way")));
                    }
                    if target.starts_with(b"/") {
                        way.there.clear();
                    }
                    ahead.extend(parts(&target));
                }
            }
        }
        Ok(way)
    }

    /// What a path leads to in the end, through all links: an inode that is no link; nothing if there is none.
    pub(super) fn leads_to(&self, path: &[u8]) -> io::Result<Option<InodeId>> {
        let mut path = path.to_vec();
        for _ in 0..=LINKS {
            let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => (path[..slash].to_vec(), path[slash + 1..].to_vec()),
                None => (Vec::new(), path.clone()),
            };
            // A way that ends at a file, or nowhere, leads to nothing.
            let Ok(way) = self.walk(&parent) else { return Ok(None) };
            let directory = if way.missing.is_empty() { self.directory(&way.there) } else { None };
            let Some(Entry::Inode(id)) = directory.and_then(|directory| directory.entries.get(&*name)) else {
                return Ok(None);
            };
            let Some(target) = self.link(*id)? else { return Ok(Some(*id)) };
            path = match target.starts_with(b"/") {
                true => target.to_vec(),
                false => [&way.there.join(&b'/'), &b"/"[..], &target].concat(),
            };
        }
        Ok(None)
    }
}

/// The names of a path, the first last.
fn parts(path: &[u8]) -> Vec<Box<[u8]>> {
    path.rsplit(|byte| *byte == b'/').map(Into::into).collect()
}
