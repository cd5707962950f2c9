//! A session's data removed, whatever is in it.
//! It stays inside one directory and one file system: no link is followed and no mount is entered.
//! Rules: unlinkat(2), openat(2) `O_NOFOLLOW`; a file system may sort a directory anew while names are taken from it,
//! so each is read until it is empty.

use anyhow::{Context, Result, bail};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Removes a directory with everything in it; false if there is none.
pub fn delete(path: &str) -> Result<bool> {
    let act = || format!("deleting {path}");
    let directory = match open(rustix::fs::CWD, path) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error).with_context(act),
    };
    let device = rustix::fs::fstat(&directory).with_context(act)?.st_dev;
    empty(directory, device).with_context(act)?;
    rustix::fs::unlinkat(rustix::fs::CWD, path, AtFlags::REMOVEDIR).with_context(act)?;
    Ok(true)
}

fn open(at: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// A directory that is being emptied, and its name in the one above.
struct Level {
    directory: OwnedFd,
    name: Vec<u8>,
}

/// Depth first, without recursion: what a session makes may be nested deeper than a stack is.
fn empty(top: OwnedFd, device: u64) -> Result<()> {
    let mut levels = vec![Level { directory: top, name: Vec::new() }];
    while let Some(level) = levels.last() {
        if let Some(inner) = remove_files(level, device)? {
            levels.push(inner);
            continue;
        }
        let done = levels.pop();
        if let (Some(done), Some(above)) = (done, levels.last()) {
            let name = done.name.as_slice();
            let shown = || format!("removing {}", String::from_utf8_lossy(name));
            rustix::fs::unlinkat(&above.directory, name, AtFlags::REMOVEDIR).with_context(shown)?;
        }
    }
    Ok(())
}

/// Removes what is no directory; gives the first directory that is not empty, if there is one.
fn remove_files(level: &Level, device: u64) -> Result<Option<Level>> {
    for entry in rustix::fs::Dir::read_from(&level.directory).context("listing")? {
        let entry = entry.context("listing")?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let shown = || format!("removing {}", name.to_string_lossy());
        if entry.file_type() != FileType::Directory {
            match rustix::fs::unlinkat(&level.directory, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                // A directory whose type was not told.
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(error) => return Err(error).with_context(shown),
            }
        }
        match rustix::fs::unlinkat(&level.directory, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let directory = open(&level.directory, name).with_context(shown)?;
                if rustix::fs::fstat(&directory).with_context(shown)?.st_dev != device {
                    bail!("{} is a mount: it is left alone", name.to_string_lossy());
                }
                return Ok(Some(Level { directory, name: name.to_bytes().to_vec() }));
            }
            Err(error) => return Err(error).with_context(shown),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_inside_goes_and_nothing_outside() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("s/a/b/c")).expect("made");
        std::fs::create_dir_all(at("s/empty")).expect("made");
        std::fs::create_dir(at("kept")).expect("made");
        std::fs::write(at("kept/file"), "").expect("written");
        for number in 0..300 {
            std::fs::write(at(&format!("s/a/b/file-{number}")), "x").expect("written");
        }
        std::os::unix::fs::symlink(at("kept"), at("s/a/link")).expect("linked");
        let path = at("s").display().to_string();
        assert!(delete(&path).expect("deleted"));
        assert!(!delete(&path).expect("gone"));
        assert!(at("kept/file").exists() && !at("s").exists());
        std::os::unix::fs::symlink(at("kept"), at("s")).expect("linked");
        assert!(delete(&path).is_err() && at("kept/file").exists());
    }
}
