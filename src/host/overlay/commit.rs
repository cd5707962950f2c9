//! `commit`: what an overlay changes, as an image: its layers merged, with whiteouts for what they delete.
//! What lies beneath is not in it, so it can be laid over any host; what an opaque directory hides is named one by one.
//! Two kinds: for `veneer overlay apply`, with the target as its root, and for systemd-sysext(8), with the whole path and an
//! extension-release file that names this system (os-release(5)).

use super::copy_meta;
use super::diff::{self, Layers};
use super::merged::{self, MergedDir, Node};
use super::recover;
use crate::convert::Output;
use crate::host::file_content::FileContent;
use crate::host::publish::Place;
use crate::image::erofs::{self, EqualFiles, LAYOUT_VERSION};
use crate::image::identity::Seed;
use crate::image::manifest::{Manifest, Recipe, Sizes};
use crate::image::tree::{
    Content, Device, Directory, Entry, InodeId, Meta, Mode, Piece, Special, Time, TreeWriter, Xattr,
};
use crate::overlay::Record;
use crate::overlay::record::Kind;
use crate::root_hash::RootHash;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{self as rfs, FileType, OFlags, Stat};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;

/// What an image is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// `veneer overlay apply`.
    Image,
    /// systemd-sysext(8).
    Sysext,
}

/// The program's name and version, as manifests have it.
const TOOL: &str = concat!("veneer ", env!("CARGO_PKG_VERSION"));

/// Makes an image of what an overlay changes; its root hash.
pub fn commit(record: &Record, output: &Output, made_for: Use) -> Result<RootHash> {
    let prefix = prefix(record, made_for)?;
    let seed = Seed([0; 32]).with(record.name.as_str().as_bytes());
    // It has files that nobody but their owner may read on the host.
    let place = Place::open(&output.directory, output.name.clone())?.for_its_owner();
    let locked = place.lock(|| {})?;
    let unpublished = locked.begin()?;
    let options = erofs::Options { seed, epoch: Time::default(), equal: EqualFiles::Apart };
    let mut taking = Taking { writer: erofs::Writer::new(unpublished.image()?, options)?, links: HashMap::new() };
    let changed = match record.kind {
        Kind::Directory => taking.tree(&diff::open(record)?)?,
        Kind::File => {
            recover::refuse_if_down(record)?;
            taking.single(record)?
        }
    };
    let mut root = wrap(changed, &prefix);
    if made_for == Use::Sysext {
        taking.extension_release(&mut root, output.name.as_str())?;
    }
    let finished = taking.writer.finish(&root)?;
    let recipe = Recipe {
        source: format!("overlay {} version {}", record.name, record.current),
        format: "erofs".into(),
        layout_version: LAYOUT_VERSION,
        options: BTreeMap::new(),
        injected: Vec::new(),
    };
    let sizes = Sizes { image: finished.size, tree: finished.tree.file.len() as u64 };
    let root_hash = finished.tree.root.clone();
    let manifest = Manifest { recipe, layers: Vec::new(), tool: TOOL.into(), root_hash: root_hash.to_string(), sizes };
    unpublished.publish(&finished.tree, &manifest)?;
    Ok(root_hash)
}

/// The directories that the change is in, from the image's root on.
fn prefix(record: &Record, made_for: Use) -> Result<Vec<Box<[u8]>>> {
    let target = record.target.as_str().trim_start_matches('/');
    let mut parts: Vec<Box<[u8]>> = target.split('/').map(|part| part.as_bytes().into()).collect();
    if record.kind == Kind::File {
        // Its name is in the tree itself.
        parts.pop();
    }
    match (made_for, target.split('/').next()) {
        (Use::Image, _) => Ok(Vec::new()),
        (Use::Sysext, Some("usr" | "opt")) => Ok(parts),
        _ => Err(Fault::data(format!(
            "{} is neither in /usr nor in /opt, which is all that a system extension has",
            record.target
        ))
        .into()),
    }
}

fn plain_directory() -> Directory {
    Directory { meta: Meta { mode: Mode(0o755), ..Meta::default() }, ..Directory::default() }
}

fn wrap(inner: Directory, prefix: &[Box<[u8]>]) -> Directory {
    prefix.iter().rev().fold(inner, |inner, part| {
        let mut outer = plain_directory();
        outer.entries.insert(part.clone(), Entry::Directory(inner));
        outer
    })
}

/// A writer, and what it has taken.
struct Taking<W> {
    writer: W,
    /// Inodes with several names.
    links: HashMap<(u64, u64), InodeId>,
}

impl<W: TreeWriter> Taking<W> {
    fn tree(&mut self, layers: &Layers) -> Result<Directory> {
        self.directory(&layers.merged, Some(layers.base.as_fd()))
    }

    /// A target that is a file: a directory with that file.
    fn single(&mut self, record: &Record) -> Result<Directory> {
        let target = record.target.as_str();
        let (parent, name) = target.rsplit_once('/').context("the target is no path")?;
        let parent = if parent.is_empty() { "/" } else { parent };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rfs::open(parent, flags, rfs::Mode::empty()).with_context(|| format!("opening {parent}"))?;
        let stat = merged::look(fd.as_fd(), name.as_bytes())?.with_context(|| format!("{target} is gone"))?;
        let inode = self.other(fd.as_fd(), name.as_bytes(), &stat)?;
        let mut directory = plain_directory();
        directory.entries.insert(name.as_bytes().into(), Entry::Inode(inode));
        Ok(directory)
    }

    fn directory(&mut self, merged: &MergedDir, base: Option<BorrowedFd<'_>>) -> Result<Directory> {
        let stat = rfs::fstat(merged.top())?;
        let meta = meta(merged.top(), &stat)?;
        let mut directory = Directory { meta, entries: BTreeMap::new() };
        let found = merged.entries()?;
        if let (true, Some(base)) = (merged.opaque, base) {
            let here = merged::open(base, b".")?;
            for name in merged::names(&here)?.into_iter().filter(|name| !found.contains_key(name)) {
                directory.entries.insert(name.into(), Entry::Inode(self.whiteout()?));
            }
        }
        for (name, node) in found {
            let entry =
                self.node(merged, base, &name, node).with_context(|| String::from_utf8_lossy(&name).into_owned())?;
            directory.entries.extend(entry.map(|entry| (name.into(), entry)));
        }
        Ok(directory)
    }

    fn node(
        &mut self,
        merged: &MergedDir,
        base: Option<BorrowedFd<'_>>,
        name: &[u8],
        node: Node,
    ) -> Result<Option<Entry>> {
        let beneath = base.map(|base| merged::look(base, name)).transpose()?.flatten();
        Ok(match node {
            // What hides nothing is left out.
            Node::Whiteout { .. } => match beneath {
                Some(_) => Some(Entry::Inode(self.whiteout()?)),
                None => None,
            },
            Node::Other { layer, stat } => {
                let directory = merged.of_layer(layer).context("a layer is gone")?;
                Some(Entry::Inode(self.other(directory, name, &stat)?))
            }
            Node::Directory(below) => {
                let is_directory = beneath.as_ref().is_some_and(merged::is_directory);
                let base = base.filter(|_| is_directory).map(|base| merged::open(base, name)).transpose()?;
                let base = base.as_ref().map(OwnedFd::as_fd);
                Some(Entry::Directory(self.directory(&below, base)?))
            }
        })
    }

    fn whiteout(&mut self) -> Result<InodeId> {
        let device = Special::Character(Device { major: 0, minor: 0 });
        Ok(self.writer.special(&Meta::default(), &device)?)
    }

    fn other(&mut self, directory: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<InodeId> {
        let key = (stat.st_dev, stat.st_ino);
        if let Some(inode) = self.links.get(&key).filter(|_| stat.st_nlink > 1) {
            return Ok(*inode);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inode = rfs::openat(directory, name, flags, rfs::Mode::empty())?;
        let meta = meta(inode.as_fd(), stat)?;
        let device = || Device { major: rfs::major(stat.st_rdev), minor: rfs::minor(stat.st_rdev) };
        let special = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => None,
            FileType::Symlink => Some(Special::Symlink(rfs::readlinkat(&inode, "", Vec::new())?.into_bytes().into())),
            FileType::CharacterDevice => Some(Special::Character(device())),
            FileType::BlockDevice => Some(Special::Block(device())),
            FileType::Fifo => Some(Special::Fifo),
            _ => Some(Special::Socket),
        };
        let taken = match special {
            Some(special) => self.writer.special(&meta, &special)?,
            None => {
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                let file = File::open(merged::through_proc(inode.as_fd()))?;
                self.writer.file(&meta, size, &mut FileContent::new(file, size))?
            }
        };
        if stat.st_nlink > 1 {
            self.links.insert(key, taken);
        }
        Ok(taken)
    }

    /// What systemd-sysext holds against the host's os-release before it takes an image.
    fn extension_release(&mut self, root: &mut Directory, name: &str) -> Result<()> {
        let text = extension_release()?;
        let file = self.writer.file(
            &Meta { mode: Mode(0o644), ..Meta::default() },
            text.len() as u64,
            &mut Bytes(Some(text.as_bytes())),
        )?;
        let mut at = root;
        for part in ["usr", "lib", "extension-release.d"] {
            let entry = at.entries.entry(part.as_bytes().into()).or_insert_with(|| Entry::Directory(plain_directory()));
            let Entry::Directory(below) = entry else {
                return Err(Fault::data(format!("{part} is no directory in the change")).into());
            };
            at = below;
        }
        at.entries.insert(format!("extension-release.{name}").into_bytes().into(), Entry::Inode(file));
        Ok(())
    }
}

/// The lines of os-release that tie an extension to a system (systemd-sysext(8)).
fn extension_release() -> Result<String> {
    let read = |path| std::fs::read_to_string(path);
    let text = read("/etc/os-release").or_else(|_| read("/usr/lib/os-release")).context("reading /etc/os-release")?;
    let wanted = ["ID=", "VERSION_ID=", "SYSEXT_LEVEL="];
    let lines = text.lines().filter(|line| wanted.iter().any(|wanted| line.starts_with(wanted)));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

/// A text as a file's content.
struct Bytes<'a>(Option<&'a [u8]>);

impl Content for Bytes<'_> {
    fn next_piece(&mut self) -> std::io::Result<Option<Piece<'_>>> {
        Ok(self.0.take().filter(|bytes| !bytes.is_empty()).map(Piece::Data))
    }
}

fn meta(inode: BorrowedFd<'_>, stat: &Stat) -> Result<Meta> {
    let found = copy_meta::xattrs(inode, copy_meta::Marks::Dropped)?;
    let mut xattrs: Vec<Xattr> =
        found.into_iter().map(|(name, value)| Xattr { name: name.into(), value: value.into() }).collect();
    xattrs.sort();
    Ok(Meta {
        mode: Mode((stat.st_mode & 0o7777) as u16),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time { seconds: stat.st_mtime, nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default() },
        xattrs,
    })
}
