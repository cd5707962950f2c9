//! The data of a version: its source copied, its writable side made, both before anything is seen of them.
//! Nothing here is mounted over a target; what is begun and not recorded goes with [`discard`].
//! Where each is: docs/overlays.md, "What is where".

use super::copy::{self, Copied, Limits, Marks};
use super::{layers, loops, mounting};
use crate::host::files;
use crate::host::image_look::Look;
use crate::overlay::record::{Kind, Lifetime, Mode, Source, SourceKind};
use crate::overlay::{OverlayPaths, Record};
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{self as rfs, FileType, OFlags};
use std::path::Path;

/// A source that has been opened: from here on its path means nothing.
#[derive(Debug)]
pub enum Opened {
    /// A directory.
    Directory(OwnedFd),
    /// A file.
    File(OwnedFd),
    /// An image that has a root hash beside it; read through its path, checked in its copy.
    Image(String),
}

/// Opens a source by its path, following links: for a caller who may read everything.
pub fn open(path: &str) -> Result<Opened> {
    let act = || format!("opening the source {path}");
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = match rfs::open(path, flags, rfs::Mode::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT) => return Err(Fault::no_input(format!("there is no source {path}")).into()),
        Err(error) => return Err(error).with_context(act),
    };
    let stat = rfs::fstat(&fd).with_context(act)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(Opened::Directory(fd)),
        FileType::RegularFile if is_image(path)? => Ok(Opened::Image(path.to_owned())),
        FileType::RegularFile => Ok(Opened::File(fd)),
        _ => Err(Fault::data(format!("the source {path} is neither a directory nor a file")).into()),
    }
}

/// A file is an image if it is called so; then it has to have what an image has beside it.
fn is_image(path: &str) -> Result<bool> {
    if !path.ends_with(".raw") && !path.ends_with(".app.img") {
        return Ok(false);
    }
    match Look::at(Path::new(path))? {
        Some(look) if look.root.is_some() && look.tree.is_some() => Ok(true),
        _ => Err(Fault::data(format!("{path} has no root hash and hash tree beside it, which an image needs")).into()),
    }
}

/// Copies a source to its place in an overlay's data.
pub fn copy_source(
    record: &Record,
    source: &Opened,
    number: u32,
    name: &str,
    limits: Limits,
) -> Result<(SourceKind, Copied)> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    if let Opened::Image(path) = source {
        return copy_image(record, path, number);
    }
    let place = paths.source(number);
    files::make_directory(&place, 0o700)?;
    if record.lifetime == Lifetime::Transient {
        // Its size is what the limits allow, and half of the memory at most.
        let size = Some(limits.bytes).filter(|bytes| *bytes < u64::MAX);
        mounting::attach(&mounting::tmpfs(size)?, &place)?;
    }
    let tree = format!("{place}/tree");
    let copied = match (source, record.kind) {
        (Opened::Directory(fd), Kind::Directory) => {
            files::make_directory(&tree, 0o755)?;
            copy::tree(fd, Path::new(&tree), limits, Marks::Dropped)?
        }
        (Opened::File(fd), Kind::Directory) => {
            files::make_directory(&tree, 0o755)?;
            copy::file(fd, &Path::new(&tree).join(name), limits)?
        }
        (Opened::File(fd), Kind::File) => copy::file(fd, &Path::new(&place).join("file"), limits)?,
        _ => {
            let target = &record.target;
            return Err(Fault::data(format!("{target} is a file, and the source is not: only a file fits")).into());
        }
    };
    Ok((SourceKind::Tree, copied))
}

/// An image is copied first and verified then: nobody can change it in between.
fn copy_image(record: &Record, path: &str, number: u32) -> Result<(SourceKind, Copied)> {
    if record.kind == Kind::File {
        return Err(Fault::data(format!("{} is a file: an image fits a directory", record.target)).into());
    }
    let place = OverlayPaths::new(&record.name, record.lifetime).source_image(number);
    let look = Look::at(Path::new(path))?.with_context(|| format!("there is no image {path}"))?;
    let root = look.root.clone().with_context(|| format!("{path} has no root hash"))?;
    let tree =
        look.tree.as_ref().map(|tree| tree.path().to_owned()).with_context(|| format!("{path} has no hash tree"))?;
    let copy = |from: &str, ending: &str| {
        let to = format!("{place}.{ending}");
        let act = || format!("copying {from} to {to}");
        let bytes = std::fs::copy(from, &to).with_context(act)?;
        // Who may read it is what the modes in it and the way to the target say.
        rfs::chmod(to.as_str(), rfs::Mode::RUSR | rfs::Mode::WUSR).with_context(act)?;
        Ok::<u64, anyhow::Error>(bytes)
    };
    let bytes = copy(look.image.path(), "raw")?;
    copy(&tree, "verity")?;
    let hash = format!("{place}.roothash");
    std::fs::write(&hash, format!("{root}\n")).with_context(|| format!("writing {hash}"))?;
    verify_image(&place, root.as_str())?;
    Ok((SourceKind::Image(root.to_string()), Copied { bytes, entries: 1, lost_attributes: 0 }))
}

/// Reads the copy of an image as a whole and compares it with the root hash that was recorded.
pub fn verify_image(place: &str, root: &str) -> Result<()> {
    let path = format!("{place}.raw");
    let look = Look::at(Path::new(&path))?.with_context(|| format!("{path} is gone"))?;
    let (found, _) = look.verify()?;
    match found.as_str() == root {
        true => Ok(()),
        false => Err(Fault::data(format!("{path} is the image {found}, not {root}")).into()),
    }
}

/// Makes the empty writable side of a version.
pub fn make_writable(record: &Record, number: u32) -> Result<()> {
    if record.mode == Mode::ReadOnly {
        return Ok(());
    }
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    match record.lifetime {
        Lifetime::Persistent => loops::make_empty(&paths.writable_image(number), record.size),
        Lifetime::Transient => {
            let place = paths.writable(number);
            files::make_directory(&place, 0o700)?;
            mounting::attach(&mounting::tmpfs(Some(record.size))?, &place)
        }
    }
}

/// Puts into a writable side what an overlay needs there. The version's layers are up.
pub fn furnish(record: &Record, number: u32) -> Result<()> {
    if record.mode == Mode::ReadOnly {
        return Ok(());
    }
    let layers = OverlayPaths::new(&record.name, record.lifetime).version(number);
    match record.kind {
        Kind::Directory => {
            files::make_directory(&layers.work(), 0o700)?;
            if files::make_directory(&layers.upper(), 0o755)? {
                layers::like_base(&OverlayPaths::new(&record.name, record.lifetime).base(), &layers.upper())?;
            }
        }
        Kind::File => {
            let to = format!("{}/file", layers.written());
            if !Path::new(&to).exists() {
                let from = format!("{}/file", layers.source());
                let fd = rfs::open(&from, OFlags::RDONLY | OFlags::CLOEXEC, rfs::Mode::empty())
                    .with_context(|| format!("opening {from}"))?;
                copy::file(&fd, Path::new(&to), Limits::NONE)?;
            }
        }
    }
    Ok(())
}

/// What a version's source is, for its record.
pub fn source(number: u32, from: &str, kind: SourceKind, copied: Copied) -> Source {
    Source { number, from: from.to_owned(), kind, bytes: copied.bytes, entries: copied.entries }
}

/// Removes the data of a version, and of its source if no other version has it.
pub fn discard(record: &Record, version: u32, source: Option<u32>) -> Result<()> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    layers::lower(record, version)?;
    remove(&paths.writable(version))?;
    files::remove_file(&paths.writable_image(version))?;
    if let Some(source) = source {
        remove(&paths.source(source))?;
        for ending in ["raw", "verity", "roothash"] {
            files::remove_file(&format!("{}.{ending}", paths.source_image(source)))?;
        }
    }
    Ok(())
}

/// Takes off what is mounted in a directory, and removes it with what is in it.
pub fn remove(directory: &str) -> Result<()> {
    layers::take_off_below(directory)?;
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {directory}"))
        }
        _ => Ok(()),
    }
}
