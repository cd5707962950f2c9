//! Files below the admin's root, for the verbs of `veneer`: read, listed, replaced whole, removed.
//! It decides nothing, and follows links as the running system would; `--root` is the admin's own tree.
//! A file that is not there is no error for a reader; everything else goes up.

use crate::live::FileIdentity;
use crate::unit::Content;
use anyhow::{Context, Result};
use rustix::fs as rfs;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The root without links and dots.
pub fn root(path: &Path) -> std::io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// A path as it is from the root of the file system, without asking the disk.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A file's text; none if there is no file.
pub fn read(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// What a link says; none if there is no link.
pub fn link(path: &Path) -> Option<String> {
    fs::read_link(path).ok().map(|target| target.to_string_lossy().into_owned())
}

/// Whether something is there, even a link to nothing.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The names in a directory, sorted; none if there is no directory.
pub fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", dir.display())),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", dir.display()))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Files and links in a directory of units and one level below it, by their path in it; sorted.
pub fn unit_dir(dir: &Path) -> Result<Vec<(String, Content)>> {
    let mut found = Vec::new();
    for name in names(dir)? {
        let path = dir.join(&name);
        if path.is_dir() {
            for below in names(&path)? {
                found.extend(content(&path.join(&below))?.map(|content| (format!("{name}/{below}"), content)));
            }
        } else {
            found.extend(content(&path)?.map(|content| (name, content)));
        }
    }
    Ok(found)
}

fn content(path: &Path) -> Result<Option<Content>> {
    match link(path) {
        Some(target) => Ok(Some(Content::Link(target))),
        None => Ok(read(path)?.map(Content::File)),
    }
}

/// Drafts that this process has begun.
static DRAFTS: AtomicU32 = AtomicU32::new(0);

/// Writes a file so that it is whole or absent, also after a power cut; makes its directory.
pub fn replace(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let act = || format!("writing {}", path.display());
    let dir = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir).with_context(act)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Nobody else's, be it another thread's of this process.
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = dir.join(format!(".{name}.{}-{number}", std::process::id()));
    let written =
        write_synced(&draft, content.as_ref()).and_then(|()| fs::rename(&draft, path)).and_then(|()| sync_dir(dir));
    if written.is_err() {
        // What was begun is of no use to anyone.
        let _ = fs::remove_file(&draft);
    }
    written.with_context(act)
}

fn write_synced(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a symbolic link, in the place of one that has its name, by a rename; on the disk when this is done.
pub fn link_anew(path: &Path, target: &str) -> Result<()> {
    let act = || format!("linking {}", path.display());
    let dir = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = dir.join(format!(".{name}.new"));
    remove(&draft)?;
    std::os::unix::fs::symlink(target, &draft).with_context(act)?;
    fs::rename(&draft, path).and_then(|()| sync_dir(dir)).with_context(act)
}

/// Removes a file; one that is not there is as good as removed.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(error).with_context(|| format!("removing {}", path.display())),
        _ => Ok(()),
    }
}

/// Owner and mode, as a doctor looks at them.
pub fn owner_and_mode(path: &Path) -> Result<Option<(u32, u32)>> {
    match rfs::stat(path) {
        Ok(stat) => Ok(Some((stat.st_uid, stat.st_mode & 0o7777))),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("looking at {}", path.display())),
    }
}

/// What tells a file from another one; none if it is not there, or cannot be looked at.
pub fn identity(path: &Path) -> Option<FileIdentity> {
    let stat = rfs::stat(path).ok()?;
    let modified = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
    let size = u64::try_from(stat.st_size).ok()?;
    Some(FileIdentity { device: stat.st_dev, inode: stat.st_ino, size, modified })
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_removed_twice() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a/b.toml");
        replace(&path, "one").expect("written");
        replace(&path, "two").expect("written again");
        assert_eq!(read(&path).expect("read").as_deref(), Some("two"));
        assert_eq!(names(&dir.path().join("a")).expect("listed"), ["b.toml"]);
        remove(&path).expect("removed");
        remove(&path).expect("removed twice");
        assert_eq!(read(&path).expect("read"), None);
    }
}
