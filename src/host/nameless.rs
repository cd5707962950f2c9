//! A file that has no name until it is whole.
//! It knows nothing of what is in it, and when to name it is said by `publish`.
//! Rules: open(2) `O_TMPFILE`, linkat(2), rename(2).

use super::place::Place;
use crate::image::publish::Part;
use anyhow::{Context, Result};
use rustix::fd::AsRawFd;
use rustix::fs::{AtFlags, CWD, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write as _;

/// A file without a name, or with a hidden one that goes when it is dropped.
#[derive(Debug)]
pub(super) struct Nameless<'a> {
    pub(super) file: File,
    place: &'a Place,
    pub(super) part: Part,
    hidden: Option<String>,
}

impl<'a> Nameless<'a> {
    /// Makes it; with a hidden name at once where the file system knows no files without one.
    pub(super) fn new(place: &'a Place, part: Part) -> Result<Self> {
        let mode = place.mode;
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let (file, hidden) = match rustix::fs::openat(&place.directory, ".", flags, mode) {
            Ok(file) => (file, None),
            // What file systems without it answer (open(2)).
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let hidden = place.name.passing(part);
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&place.directory, &hidden, flags, mode);
                (file.with_context(|| format!("making {}", place.shown(&hidden)))?, Some(hidden))
            }
            Err(error) => return Err(error).with_context(|| format!("making a file in {}", place.path)),
        };
        Ok(Self { file: File::from(file), place, part, hidden })
    }

    /// Makes a small file with its bytes on the disk.
    pub(super) fn with(place: &'a Place, part: Part, bytes: &[u8]) -> Result<Self> {
        let mut made = Self::new(place, part)?;
        let written = made.file.write_all(bytes).and_then(|()| made.file.sync_all());
        written.with_context(|| format!("writing {}", place.shown(&place.name.of(part))))?;
        Ok(made)
    }

    /// Gives it its hidden name.
    pub(super) fn stage(&mut self) -> Result<()> {
        if self.hidden.is_none() {
            let hidden = self.place.name.passing(self.part);
            let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            rustix::fs::linkat(CWD, own.as_str(), &self.place.directory, &hidden, AtFlags::SYMLINK_FOLLOW)
                .with_context(|| format!("naming {}", self.place.shown(&hidden)))?;
            self.hidden = Some(hidden);
        }
        Ok(())
    }

    /// Gives it its own name, in the place of whatever has it.
    pub(super) fn name(&mut self) -> Result<()> {
        let (directory, name) = (&self.place.directory, self.place.name.of(self.part));
        if let Some(hidden) = &self.hidden {
            let named = rustix::fs::renameat(directory, hidden, directory, &name);
            named.with_context(|| format!("naming {}", self.place.shown(&name)))?;
            self.hidden = None;
        }
        Ok(())
    }
}

impl Drop for Nameless<'_> {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // What cannot be removed now, the next maker removes.
            let _ = rustix::fs::unlinkat(&self.place.directory, hidden, AtFlags::empty());
        }
    }
}
