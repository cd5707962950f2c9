//! What an overlay changes, found by laying its layers over each other and holding them against what lies beneath.
//! It reads no file: owner, mode, size and time tell files apart, as rsync(1) has it.
//! Only what is in the layers is looked at, so the base may be as large as it likes.

use super::merged::{self, MergedDir, Node};
use super::{base, layers, loops, target};
use crate::host::loop_device::Access;
use crate::overlay::change::{Became, By, Change, Look, Type};
use crate::overlay::record::{Kind, Lifetime, Mode};
use crate::overlay::{OverlayPaths, Record};
use anyhow::{Context, Result};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{self as rfs, FileType, OFlags, Stat};
use rustix::io::Errno;
use std::path::PathBuf;

/// What is held against what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// All layers against the base.
    Base,
    /// What was written against base and source.
    Source,
}

/// The layers of an overlay, and what lies beneath, open.
#[derive(Debug)]
pub struct Layers {
    /// The overlay's own, topmost first.
    pub merged: MergedDir,
    /// In whose layer each is.
    pub by: Vec<By>,
    /// What lies beneath.
    pub base: OwnedFd,
}

/// Where the layers of an overlay, and what lies beneath, can be read.
struct Places {
    /// The writable side: it holds `upper`, or `file`.
    written: Option<String>,
    /// The tree of the source, or its file.
    source: PathBuf,
    base: String,
    /// What is mounted for this look alone, where nobody else finds it.
    _mounted: (Option<base::Content>, Option<OwnedFd>),
}

/// Finds the layers: those that are up, or, of an overlay that is stopped or held back, its data as it lies there.
fn places(record: &Record) -> Result<Places> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let version = record.version().context("the record has no version in use")?;
    let is_writable = record.mode == Mode::Writable;
    if target::mounts()?.top(&paths.base()).is_some() {
        let written = is_writable.then(|| paths.version(version.number).written());
        let source = layers::source_content(record, version);
        return Ok(Places { written, source, base: paths.base(), _mounted: (None, None) });
    }
    let content = base::content(record, version.source.number, &version.source.kind)?;
    let (mut written, mut image) = (is_writable.then(|| paths.writable(version.number)), None);
    if is_writable && record.lifetime == Lifetime::Persistent {
        // Writable, so that a journal is replayed that a crash left: without that, what was written last is not seen.
        let mounted = loops::mount(&paths.writable_image(version.number), "ext4", Access::Write)?;
        written = Some(merged::through_proc(mounted.as_fd()));
        image = Some(mounted);
    }
    let (source, base) = (content.path.clone(), record.target.to_string());
    Ok(Places { written, source, base, _mounted: (Some(content), image) })
}

/// Opens the layers of an overlay over a directory.
pub fn open(record: &Record) -> Result<Layers> {
    let places = places(record)?;
    let open = |path: &str| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rfs::open(path, flags, rfs::Mode::empty()).with_context(|| format!("opening {path}"))
    };
    let (mut roots, mut by) = (Vec::new(), Vec::new());
    if let Some(written) = &places.written {
        roots.push(open(&format!("{written}/upper"))?);
        by.push(By::Written);
    }
    roots.push(open(&places.source.to_string_lossy())?);
    by.push(By::Source);
    Ok(Layers { merged: MergedDir::of_roots(roots)?, by, base: open(&places.base)? })
}

/// Everything that an overlay changes, in order of path.
pub fn changes(record: &Record, against: Against) -> Result<Vec<Change>> {
    if record.kind == Kind::File {
        return file(record);
    }
    let mut opened = open(record)?;
    let mut beneath = vec![];
    if against == Against::Source {
        // What was not written lies beneath, too.
        beneath = opened.merged.layers.drain(opened.merged.layers.len() - 1..).collect();
        if opened.merged.layers.is_empty() {
            return Ok(Vec::new());
        }
    }
    let mut base: Vec<OwnedFd> = beneath.into_iter().map(|dir| dir.fd).collect();
    base.push(opened.base);
    let mut found = Finding { by: &opened.by, changes: Vec::new() };
    let path = String::new();
    found
        .directory(&opened.merged, &base, &path)
        .with_context(|| format!("comparing the layers of {}", record.name))?;
    found.changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found.changes)
}

/// A target that is a file has one line, or none.
fn file(record: &Record) -> Result<Vec<Change>> {
    let places = places(record)?;
    let stat = |path: &str| rfs::stat(path).with_context(|| format!("looking at {path}"));
    let after = match &places.written {
        Some(written) => format!("{written}/file"),
        None => places.source.to_string_lossy().into_owned(),
    };
    let (before, after) = (stat(&places.base)?, stat(&after)?);
    let name = record.target.as_str().rsplit('/').next().unwrap_or_default().to_owned();
    let by = if record.mode == Mode::Writable { By::Written } else { By::Source };
    let change =
        Change { path: name, became: Became::Changed, by, before: Some(told(&before)), after: Some(told(&after)) };
    Ok(if differs(&before, &after) { vec![change] } else { Vec::new() })
}

struct Finding<'a> {
    by: &'a [By],
    changes: Vec<Change>,
}

impl Finding<'_> {
    /// `base`: the directories that lie beneath, topmost first; none if nothing does.
    fn directory(&mut self, merged: &MergedDir, base: &[OwnedFd], path: &str) -> Result<(), Errno> {
        let entries = merged.entries()?;
        if merged.opaque {
            self.hidden(merged, base, &entries, path)?;
        }
        for (name, node) in &entries {
            let below = join(path, name);
            let before = beneath(base, name)?;
            match node {
                Node::Whiteout { layer } => {
                    if let Some(before) = before {
                        self.add(below, Became::Deleted, self.by[*layer], Some(before), None);
                    }
                }
                Node::Other { layer, stat } => self.other(below, self.by[*layer], before, stat),
                Node::Directory(directory) => self.below(directory, base, name, &below, before)?,
            }
        }
        Ok(())
    }

    fn other(&mut self, path: String, by: By, before: Option<Stat>, after: &Stat) {
        match before {
            None => self.add(path, Became::Added, by, None, Some(*after)),
            Some(before) if differs(&before, after) => {
                self.add(path, Became::Changed, by, Some(before), Some(*after));
            }
            Some(_) => {}
        }
    }

    fn below(
        &mut self,
        directory: &MergedDir,
        base: &[OwnedFd],
        name: &[u8],
        path: &str,
        before: Option<Stat>,
    ) -> Result<(), Errno> {
        let after = rfs::fstat(directory.top())?;
        let by = self.by[directory.layers[0].layer];
        let mut beneath = Vec::new();
        match before {
            None => self.add(path.to_owned(), Became::Added, by, None, Some(after)),
            Some(before) => {
                let same = merged::is_directory(&before) && !owner_or_mode_differs(&before, &after);
                if !same {
                    self.add(path.to_owned(), Became::Changed, by, Some(before), Some(after));
                }
                beneath = open_all(base, name)?;
            }
        }
        self.directory(directory, &beneath, path)
    }

    /// What an opaque directory hides and has not itself.
    fn hidden(
        &mut self,
        merged: &MergedDir,
        base: &[OwnedFd],
        entries: &std::collections::BTreeMap<Vec<u8>, Node>,
        path: &str,
    ) -> Result<(), Errno> {
        let by = merged.layers.last().map_or(By::Source, |dir| self.by[dir.layer]);
        for name in base.iter().map(merged::names).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            let before = if entries.contains_key(&name) { None } else { beneath(base, &name)? };
            if before.is_some() {
                self.add(join(path, &name), Became::Deleted, by, before, None);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, became: Became, by: By, before: Option<Stat>, after: Option<Stat>) {
        let (before, after) = (before.as_ref().map(told), after.as_ref().map(told));
        self.changes.push(Change { path, became, by, before, after });
    }
}

/// What a name is beneath: in the first directory that has it.
fn beneath(base: &[OwnedFd], name: &[u8]) -> Result<Option<Stat>, Errno> {
    for directory in base {
        if let Some(stat) = merged::look(directory.as_fd(), name)? {
            let whiteout = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0;
            return Ok(Some(stat).filter(|_| !whiteout));
        }
    }
    Ok(None)
}

/// The directories of a name, down to the first that is none.
fn open_all(base: &[OwnedFd], name: &[u8]) -> Result<Vec<OwnedFd>, Errno> {
    let mut found = Vec::new();
    for directory in base {
        match merged::look(directory.as_fd(), name)? {
            None => {}
            Some(stat) if merged::is_directory(&stat) => found.push(merged::open(directory.as_fd(), name)?),
            Some(_) => break,
        }
    }
    Ok(found)
}

fn join(path: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") }
}

fn owner_or_mode_differs(a: &Stat, b: &Stat) -> bool {
    a.st_mode != b.st_mode || a.st_uid != b.st_uid || a.st_gid != b.st_gid
}

fn differs(a: &Stat, b: &Stat) -> bool {
    owner_or_mode_differs(a, b)
        || a.st_size != b.st_size
        || a.st_rdev != b.st_rdev
        || (a.st_mtime, a.st_mtime_nsec) != (b.st_mtime, b.st_mtime_nsec)
}

fn told(stat: &Stat) -> Look {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Type::File,
        FileType::Directory => Type::Directory,
        FileType::Symlink => Type::Link,
        _ => Type::Special,
    };
    let size = if kind == Type::Directory { 0 } else { u64::try_from(stat.st_size).unwrap_or_default() };
    Look { kind, size, mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid }
}
