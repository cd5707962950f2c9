//! Writes units into the directory that systemd gave the generator.
//! It never replaces or removes anything: systemd empties the directory before each run, so what is
//! already there came from somebody else and is an error that names it (systemd.generator(7)).
//! No fsync: the directory is on a tmpfs and is made again at each boot and reload.

use crate::unit::{Content, UnitSet};
use anyhow::{Context, Result, bail};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::{self, Errno};
use std::path::{Path, PathBuf};

/// The generator's directory, open.
#[derive(Debug)]
pub struct UnitDir {
    dir: OwnedFd,
    path: PathBuf,
}

impl UnitDir {
    /// Opens a directory, which must exist.
    pub fn open(path: &Path) -> Result<Self> {
        let dir = fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .with_context(|| format!("opening {}", path.display()))?;
        Ok(Self { dir, path: path.to_owned() })
    }

    /// Writes all of a set. What was written before an error stays.
    pub fn write(&self, set: &UnitSet) -> Result<()> {
        self.write_below(set)?;
        self.write_top(set)
    }

    /// What goes into subdirectories: drop-ins and links.
    fn write_below(&self, set: &UnitSet) -> Result<()> {
        // Sorted by path: what lies in one subdirectory comes together.
        let mut made = "";
        for (path, content) in set.iter() {
            let Some((name, _)) = path.split_once('/') else { continue };
            // Directories of links are shared by apps: there already for all but the first.
            if name != made && !matches!(content, Content::Link(_)) {
                self.make_subdirectory(name)?;
            }
            made = name;
            let placed = match place(&self.dir, path, content) {
                Err(Errno::NOENT) => {
                    self.make_subdirectory(name)?;
                    place(&self.dir, path, content)
                }
                placed => placed,
            };
            self.explain(path, placed)?;
        }
        Ok(())
    }

    /// What goes into the directory itself: unit files.
    fn write_top(&self, set: &UnitSet) -> Result<()> {
        let mut top = set.iter().filter(|(path, _)| !path.contains('/'));
        top.try_for_each(|(path, content)| self.explain(path, place(&self.dir, path, content)))
    }

    fn make_subdirectory(&self, name: &str) -> Result<()> {
        match fs::mkdirat(&self.dir, name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => Ok(()),
            other => other.with_context(|| format!("making {}", self.path.join(name).display())),
        }
    }

    fn explain(&self, path: &str, result: Result<(), Errno>) -> Result<()> {
        let full = self.path.join(path);
        match result {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => bail!("writing {}: something else wrote a unit of this name", full.display()),
            Err(error) => Err(error).with_context(|| format!("writing {}", full.display())),
        }
    }
}

fn place(dir: impl AsFd, name: &str, content: &Content) -> Result<(), Errno> {
    match content {
        Content::Link(target) => fs::symlinkat(target.as_str(), dir, name),
        Content::File(text) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let file = fs::openat(dir, name, flags, Mode::from_raw_mode(0o644))?;
            write_all(&file, text.as_bytes())
        }
    }
}

fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match io::write(&file, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(entries: &[(&str, Content)]) -> UnitSet {
        let mut set = UnitSet::default();
        for (path, content) in entries {
            set.add((*path).into(), content.clone()).expect("no duplicates");
        }
        set
    }

    #[test]
    fn files_links_and_drop_ins_arrive_as_they_are() {
        let dir = tempfile::tempdir().expect("directory");
        let content = |text: &str| Content::File(text.into());
        let units = set(&[
            ("a.mount", content("A")),
            ("b.service.d/40.conf", Content::Link("/x".into())),
            ("b.service.d/50.conf", content("B")),
        ]);
        UnitDir::open(dir.path()).expect("open").write(&units).expect("written");
        let read = |path| std::fs::read_to_string(dir.path().join(path)).expect("readable");
        assert_eq!(read("a.mount") + &read("b.service.d/50.conf"), "AB");
        assert_eq!(std::fs::read_link(dir.path().join("b.service.d/40.conf")).expect("link"), Path::new("/x"));
    }

    #[test]
    fn what_is_there_already_is_named_and_kept() {
        let dir = tempfile::tempdir().expect("directory");
        std::fs::write(dir.path().join("a.mount"), "theirs").expect("write");
        let units = set(&[("a.mount", Content::File("ours".into()))]);
        let error = UnitDir::open(dir.path()).expect("open").write(&units).expect_err("taken");
        assert!(error.to_string().ends_with("a.mount: something else wrote a unit of this name"), "{error}");
        assert_eq!(std::fs::read_to_string(dir.path().join("a.mount")).expect("read"), "theirs");
    }
}
