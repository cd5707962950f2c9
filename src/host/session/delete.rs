//! A directory emptied, whatever is in it; whether it may be is `data`'s to know.
//! It stays inside one directory and one mount: no link is followed and no mount is entered, not even one of the same
//! file system. Rules: unlinkat(2), openat2(2) `RESOLVE_NO_XDEV`, `RESOLVE_NO_SYMLINKS`; a file system may sort a directory
//! anew while names are taken from it, so each is read until it is empty.

use anyhow::{Context, Result, bail};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::CStr;

/// Removes everything in a directory but what has this name at its top: that is the last to go, and the caller's.
pub fn empty_but(directory: &OwnedFd, last: &str) -> Result<()> {
    let top = directory.try_clone().context("keeping the directory")?;
    let mut levels = vec![Level { directory: top, name: Vec::new() }];
    // Depth first, without recursion: what a session makes may be nested deeper than a stack is.
    while let Some(level) = levels.last() {
        let kept = if levels.len() == 1 { last.as_bytes() } else { b"" };
        if let Some(inner) = remove_files(level, kept)? {
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

/// A directory that is being emptied, and its name in the one above.
struct Level {
    directory: OwnedFd,
    name: Vec<u8>,
}

/// Removes what is no directory; gives the first directory that is not empty, if there is one.
fn remove_files(level: &Level, kept: &[u8]) -> Result<Option<Level>> {
    for entry in rustix::fs::Dir::read_from(&level.directory).context("listing")? {
        let entry = entry.context("listing")?;
        let name = entry.file_name();
        if name == c"." || name == c".." || name.to_bytes() == kept {
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
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => {
                let directory = inner(&level.directory, name).with_context(shown)?;
                return Ok(Some(Level { directory, name: name.to_bytes().to_vec() }));
            }
            Err(error) => return Err(error).with_context(shown),
        }
    }
    Ok(None)
}

fn inner(at: &OwnedFd, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat2(at, name, flags, Mode::empty(), ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS) {
        Err(Errno::XDEV) => bail!("it is a mount, and left alone"),
        opened => Ok(opened?),
    }
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
        std::fs::write(at("s/last"), "").expect("written");
        std::fs::create_dir(at("s/a/last")).expect("made");
        let open = || std::fs::File::open(at("s")).map(OwnedFd::from).expect("opened");
        empty_but(&open(), "last").expect("emptied");
        let left: Vec<_> =
            std::fs::read_dir(at("s")).expect("listed").map(|entry| entry.expect("one").file_name()).collect();
        assert_eq!(left, ["last"]);
        assert!(at("kept/file").exists());
    }

    #[test]
    fn a_mount_is_not_entered_even_of_the_same_file_system() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("home")).expect("made");
        std::fs::create_dir_all(at("s/root/home")).expect("made");
        std::fs::write(at("home/letter"), "dear").expect("written");
        let (from, to) = (at("home"), at("s/root/home"));
        if rustix::mount::mount_bind(&from, &to).is_err() {
            // Only root may, and not in every container.
            return;
        }
        let opened = OwnedFd::from(std::fs::File::open(at("s")).expect("opened"));
        let said = empty_but(&opened, "").map_err(|error| format!("{error:#}"));
        rustix::mount::unmount(&to, rustix::mount::UnmountFlags::DETACH).expect("taken off");
        assert_eq!(said, Err("removing home: it is a mount, and left alone".to_owned()));
        assert_eq!(std::fs::read_to_string(at("home/letter")).expect("there"), "dear");
    }
}
