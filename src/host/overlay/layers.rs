//! The layers of an overlay in this boot: mounted and linked where its unit looks for them, and taken off again.
//! It makes no data (`version` does) and lays nothing over a target (the unit does, or `mounting::switch`).
//! Doing it twice is doing it once; a transient overlay's data is mounts as well, and those stay until it is removed.

use super::{base, loops, mounting, target, version};
use crate::host::files;
use crate::host::loop_device::Access;
use crate::overlay::record::{Kind, Lifetime, Mode, SourceKind, Version};
use crate::overlay::{OverlayPaths, Record};
use anyhow::{Context, Result};
use rustix::fd::AsFd as _;
use rustix::fs::{self as rfs, OFlags};
use std::path::Path;

/// Brings up what the version in use needs, and the view of the base.
pub fn up(record: &Record) -> Result<()> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let version = record.version().context("the record has no version in use")?;
    files::make_directory(&paths.live, 0o755)?;
    base::keep(&paths, &record.target, record.kind)?;
    raise(record, version)?;
    use_version(record, version.number)
}

/// Brings up the layers of a version, beside those of others.
pub fn raise(record: &Record, of: &Version) -> Result<()> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let layers = paths.version(of.number);
    files::make_directory(&paths.live, 0o755)?;
    files::make_directory(layers.dir(), 0o700)?;
    match &of.source.kind {
        SourceKind::Tree => files::link(&layers.source(), &paths.source(of.source.number))?,
        SourceKind::Image(root) => {
            let place = format!("{}/tree", layers.source());
            files::make_directory(&layers.source(), 0o755)?;
            files::make_directory(&place, 0o755)?;
            if target::mounts()?.top(&place).is_none() {
                let place_of_image = paths.source_image(of.source.number);
                version::verify_image(&place_of_image, root)?;
                let image = format!("{place_of_image}.raw");
                mounting::attach(&loops::mount(&image, "erofs", Access::Read)?, &place)?;
            }
        }
    }
    match (record.mode, record.lifetime, record.kind) {
        (Mode::ReadOnly, _, Kind::Directory) => {
            files::make_directory(&layers.top(), 0o755)?;
            like_base(&paths.base(), &layers.top())?;
        }
        (Mode::ReadOnly, _, Kind::File) => {}
        (Mode::Writable, Lifetime::Transient, _) => files::link(&layers.written(), &paths.writable(of.number))?,
        (Mode::Writable, Lifetime::Persistent, _) => {
            files::make_directory(&layers.written(), 0o700)?;
            if target::mounts()?.top(&layers.written()).is_none() {
                let image = paths.writable_image(of.number);
                mounting::attach(&loops::mount(&image, "ext4", Access::Write)?, &layers.written())?;
            }
        }
    }
    version::furnish(record, of.number)
}

/// Gives a directory the owner, mode and attributes that the target itself has.
pub fn like_base(base: &str, directory: &str) -> Result<()> {
    let act = || format!("making {directory} like {base}");
    let open = |path: &str| rfs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, rfs::Mode::empty());
    let (from, to) = (open(base).with_context(act)?, open(directory).with_context(act)?);
    let stat = rfs::fstat(&from).with_context(act)?;
    let xattrs = super::copy_meta::xattrs(from.as_fd(), super::copy_meta::Marks::Dropped).with_context(act)?;
    super::copy_meta::give(to.as_fd(), &stat, &xattrs).map(drop).with_context(act)
}

/// Makes a version the one that the unit finds.
pub fn use_version(record: &Record, number: u32) -> Result<()> {
    let current = OverlayPaths::new(&record.name, record.lifetime).current();
    let (new, target) = (format!("{current}.new"), format!("v{number}"));
    files::link(&new, &target)?;
    std::fs::rename(&new, &current).with_context(|| format!("linking {current} to {target}"))
}

/// The version that was last made the one in use, in this boot.
pub fn version_in_use(paths: &OverlayPaths) -> Option<u32> {
    let target = std::fs::read_link(paths.current()).ok()?;
    target.to_str()?.strip_prefix('v')?.parse().ok()
}

/// Takes the layers of a version off; its data stays.
pub fn lower(record: &Record, number: u32) -> Result<()> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let layers = paths.version(number);
    take_off_below(layers.dir())?;
    match std::fs::remove_dir_all(layers.dir()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", layers.dir()))
        }
        _ => Ok(()),
    }
}

/// Takes off what `up` brought up: everything but a transient overlay's data, which is nowhere else.
pub fn down(record: &Record) -> Result<()> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    sync(&paths);
    for version in &record.versions {
        lower(record, version.number)?;
    }
    mounting::take_off(&paths.base())?;
    files::remove_file(&paths.current()).map(drop)
}

/// What was written goes to its disk before anything is taken off.
fn sync(paths: &OverlayPaths) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(written) = rfs::open(paths.in_use().written(), flags, rfs::Mode::empty()) {
        // A file system that cannot be synced says so in the kernel's log; it is taken off all the same.
        let _ = rfs::syncfs(&written);
    }
}

/// Takes everything off at or below a directory, the last mounted first.
pub fn take_off_below(directory: &str) -> Result<()> {
    let table = target::mounts()?;
    for mount in table.at_or_below(directory) {
        mounting::take_off(&mount.place)?;
    }
    Ok(())
}

/// The tree of a version's source, or its file.
pub fn source_content(record: &Record, version: &Version) -> std::path::PathBuf {
    let source = OverlayPaths::new(&record.name, record.lifetime).version(version.number).source();
    Path::new(&source).join(match record.kind {
        Kind::Directory => "tree",
        Kind::File => "file",
    })
}
