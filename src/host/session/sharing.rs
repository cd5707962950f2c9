//! Whether what a session is a copy of can share its data with files in the directory of sessions.
//! It copies nothing: it tries with a file that has no name, where the numbers of devices do not tell.
//! Rules: inode(7); each subvolume of Btrfs has a device number of its own, and all of a file system share data
//! (ioctl_ficlone(2)), so another number is no answer yet.

use super::copy_file::can_share_with;
use anyhow::{Context, Result};
use rustix::fd::AsFd;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// So many directories are looked into for one file to try with.
const LOOKED_INTO: usize = 64;

/// Whether an original, a file or a directory with files, can share data with files in a directory that can share at all.
pub fn shares_with(directory: impl AsFd, original: &str) -> Result<bool> {
    let act = || format!("looking at {original}");
    let own = rustix::fs::fstat(&directory).context("looking at the directory of sessions")?.st_dev;
    let found = std::fs::metadata(original).with_context(act)?;
    if found.dev() == own {
        return Ok(true);
    }
    let sample = if found.is_dir() { first_file(original).with_context(act)? } else { Some(PathBuf::from(original)) };
    let Some(sample) = sample else { return Ok(false) };
    let file = File::open(&sample).with_context(|| format!("opening {}", sample.display()))?;
    can_share_with(directory, &file)
}

/// A file with something in it, of the same file system as the directory.
fn first_file(directory: &str) -> Result<Option<PathBuf>> {
    let device = std::fs::metadata(directory)?.dev();
    let mut ahead = vec![PathBuf::from(directory)];
    for _ in 0..LOOKED_INTO {
        let Some(here) = ahead.pop() else { break };
        for entry in sorted(&here)? {
            let found = match entry.symlink_metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found?,
            };
            if found.is_file() && found.len() > 0 && found.dev() == device {
                return Ok(Some(entry));
            }
            if found.is_dir() && found.dev() == device {
                ahead.push(entry);
            }
        }
    }
    Ok(None)
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_to_try_with_is_found_below_and_what_is_on_another_file_system_shares_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().display().to_string();
        std::fs::create_dir_all(dir.path().join("a/b")).expect("made");
        std::fs::write(dir.path().join("a/empty"), "").expect("written");
        assert_eq!(first_file(&path).expect("looked"), None);
        std::fs::write(dir.path().join("a/b/file"), "x").expect("written");
        assert_eq!(first_file(&path).expect("looked"), Some(dir.path().join("a/b/file")));
        let here = File::open(dir.path()).expect("opened");
        assert!(shares_with(&here, &path).expect("looked"), "the same file system");
        assert!(shares_with(&here, "/not/there").is_err());
    }
}
