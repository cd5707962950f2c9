//! The image as it is to be, into a writer: what it had, in the order it had it, and then what is put in.
//! It decides nothing; what no name leads to any more is left out.
//! Rules: those of `image::tree`.

use super::decide::Plan;
use super::wish::{Bytes, Image, Injection, What};
use crate::image::manifest::Injected;
use crate::image::read;
use crate::image::tree::{Directory, Entry, InodeId, Special, TreeWriter};
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::collections::BTreeSet;
use std::io;

/// Writes the image that a plan is of; `done` hears how many of how many inodes are written.
pub fn write<D: ReadAt, W: TreeWriter>(
    image: &Image<D>,
    plan: Plan,
    injections: &[Injection<Bytes>],
    mut writer: W,
    done: &mut dyn FnMut(u64, u64),
) -> io::Result<W::Finished> {
    let mut names = plan.names;
    let old = image.inodes.len();
    let mut used: Vec<InodeId> = used(&names).into_iter().collect();
    // As they lie in the image, so that it is read from its beginning to its end.
    used.sort_by_key(|id| (image.inodes.get(id.0 as usize).copied().unwrap_or(u64::MAX), *id));
    let mut numbers = vec![None; old + injections.len()];
    for (count, id) in used.iter().enumerate() {
        let index = id.0 as usize;
        let new = match image.inode(*id)? {
            Some(inode) => copy(image, &inode, &mut writer)?,
            None => add(injections.get(index - old), &mut writer)?,
        };
        numbers[index] = Some(new);
        done(count as u64 + 1, used.len() as u64);
    }
    renumber(&mut names, &numbers)?;
    writer.finish(&names)
}

/// What a manifest says of what was put in.
pub fn recorded(injections: &[Injection<Bytes>]) -> Vec<Injected> {
    let digest = |bytes: &Bytes| format!("sha256:{}", hex(&bytes.digest));
    injections.iter().map(|injection| injection.recorded(digest)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn copy<D: ReadAt>(image: &Image<D>, inode: &read::Inode, writer: &mut impl TreeWriter) -> io::Result<InodeId> {
    match &inode.what {
        read::What::File(body) => writer.file(&inode.meta, body.size(), &mut image.reader.content(*body)),
        read::What::Special(special) => writer.special(&inode.meta, special),
        read::What::Directory(_) => Err(bad("the image has changed meanwhile")),
    }
}

fn add(injection: Option<&Injection<Bytes>>, writer: &mut impl TreeWriter) -> io::Result<InodeId> {
    let injection = injection.ok_or_else(|| bad("a name leads to nothing"))?;
    match &injection.what {
        What::File(bytes) => writer.file(&injection.meta, bytes.size, &mut bytes.content()),
        What::Link(target) => writer.special(&injection.meta, &Special::Symlink(target.clone())),
        What::Directory(_) => Err(bad("a directory has no number")),
    }
}

/// The inodes that names lead to.
fn used(names: &Directory) -> BTreeSet<InodeId> {
    let (mut used, mut ahead) = (BTreeSet::new(), vec![names]);
    while let Some(directory) = ahead.pop() {
        for entry in directory.entries.values() {
            match entry {
                Entry::Directory(below) => ahead.push(below),
                Entry::Inode(id) => drop(used.insert(*id)),
            }
        }
    }
    used
}

/// Gives names the writer's numbers.
fn renumber(names: &mut Directory, numbers: &[Option<InodeId>]) -> io::Result<()> {
    let mut ahead = vec![names];
    while let Some(directory) = ahead.pop() {
        for entry in directory.entries.values_mut() {
            match entry {
                Entry::Directory(below) => ahead.push(below),
                Entry::Inode(id) => {
                    let new = numbers.get(id.0 as usize).copied().flatten();
                    *id = new.ok_or_else(|| bad("a name leads to nothing"))?;
                }
            }
        }
    }
    Ok(())
}
