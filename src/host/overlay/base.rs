//! What lies beneath an overlay: kept reachable while it is hidden, and told apart from what lay there before.
//! It decides nothing about a change; the record's policy does.
//! Sources: os-release(5); what is hidden is digested in order of names, so that the same tree gives the same digest.

use super::{loops, mounting, target};
use crate::host::files;
use crate::host::loop_device::Access;
use crate::overlay::record::{Base, Kind, Mode, SourceKind};
use crate::overlay::{Guard, Guards, OverlayPaths, Record};
use crate::path::AbsPath;
use anyhow::{Context as _, Result};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{self as rfs, AtFlags, FileType, Stat};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Opens the view of what lies beneath, unless it is open: before anything is laid over it. Only root gets to it: what
/// directories the target is in, and so who could reach it before, does not matter then.
pub fn keep(paths: &OverlayPaths, target: &AbsPath, kind: Kind) -> Result<()> {
    let (place, table) = (paths.base(), target::mounts()?);
    if table.top(&place).is_some() {
        return Ok(());
    }
    if table.top(target.as_str()).is_some() {
        anyhow::bail!("something is mounted on {target} already");
    }
    target::refuse_mounts_below(&table, target)?;
    files::make_directory(&paths.base_directory(), 0o700)?;
    match kind {
        Kind::Directory => files::make_directory(&place, 0o755).map(drop)?,
        Kind::File if !Path::new(&place).exists() => {
            std::fs::write(&place, "").with_context(|| format!("making {place}"))?
        }
        Kind::File => {}
    }
    let view = mounting::view(target.as_str())?;
    mounting::attach(&view, &place)?;
    mounting::make_private(&place)?;
    let guards = mounting::guards(&place)?.and(&Guards::from_iter([Guard::NoSuid]));
    mounting::restrict(&place, Mode::ReadOnly, &guards)
}

/// The source of a version, to be looked into whether it is mounted or not.
#[derive(Debug)]
pub struct Content {
    /// Its tree, or its file.
    pub path: PathBuf,
    /// Where that is in an image, the image, mounted where nobody else finds it.
    _image: Option<OwnedFd>,
}

/// Opens the copy of a source.
pub fn content(record: &Record, number: u32, kind: &SourceKind) -> Result<Content> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let place = paths.source(number);
    Ok(match (kind, record.kind) {
        (SourceKind::Tree, Kind::Directory) => Content { path: Path::new(&place).join("tree"), _image: None },
        (SourceKind::Tree, Kind::File) => Content { path: Path::new(&place).join("file"), _image: None },
        (SourceKind::Image(_), _) => {
            let image = loops::mount(&format!("{}.raw", paths.source_image(number)), "erofs", Access::Read)?;
            let path = format!("/proc/self/fd/{}/", image.as_raw_fd()).into();
            Content { path, _image: Some(image) }
        }
    })
}

/// What a base is, as far as an overlay with this tree hides it.
pub fn identify(base: &Path, tree: &Path, kind: Kind) -> Result<Base> {
    let mut digest = Digesting { hash: Sha256::new(), files: 0 };
    match kind {
        Kind::File => digest.take(base, b"")?,
        Kind::Directory => digest.below(base, tree, Path::new(""))?,
    }
    let hidden = digest.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Base { system: system(), hidden, hidden_files: digest.files })
}

/// The system's name of its own version.
pub fn system() -> String {
    let read = |path| std::fs::read_to_string(path);
    // Without the file, the digest has to do.
    let text = read("/etc/os-release").or_else(|_| read("/usr/lib/os-release")).unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches(['"', '\'']).to_owned())
    };
    let parts = ["ID", "VERSION_ID", "IMAGE_ID", "IMAGE_VERSION", "BUILD_ID"];
    parts.iter().filter_map(|key| value(key)).collect::<Vec<_>>().join(" ")
}

struct Digesting {
    hash: Sha256,
    files: u64,
}

impl Digesting {
    /// Everything in a directory of the base that the tree has as well.
    fn below(&mut self, base: &Path, tree: &Path, path: &Path) -> Result<()> {
        let directory = tree.join(path);
        for name in sorted_names(&directory)? {
            let below = path.join(&name);
            let Some(found) = look(&base.join(&below))? else { continue };
            let is_directory = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            let both = is_directory(&found) && look(&tree.join(&below))?.as_ref().is_some_and(is_directory);
            self.take(&base.join(&below), below.as_os_str().as_encoded_bytes())?;
            if both {
                self.below(base, tree, &below)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, path: &Path, name: &[u8]) -> Result<()> {
        let act = || format!("reading {}", path.display());
        let Some(stat) = look(path)? else { return Ok(()) };
        self.hash.update((name.len() as u64).to_le_bytes());
        self.hash.update(name);
        for number in [stat.st_mode, stat.st_uid, stat.st_gid] {
            self.hash.update(number.to_le_bytes());
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                self.hash.update(stat.st_size.to_le_bytes());
                let mut file = std::fs::File::open(path).with_context(act)?;
                std::io::copy(&mut file, &mut HashWriter(&mut self.hash)).with_context(act)?;
            }
            FileType::Symlink => {
                let target = rfs::readlinkat(rfs::CWD, path, Vec::new()).with_context(act)?;
                self.hash.update(target.as_bytes());
            }
            FileType::Directory => return Ok(()),
            _ => self.hash.update(stat.st_rdev.to_le_bytes()),
        }
        self.files += 1;
        Ok(())
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn look(path: &Path) -> Result<Option<Stat>> {
    match rfs::statat(rfs::CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {}", path.display())),
    }
}

fn sorted_names(directory: &Path) -> Result<Vec<std::ffi::OsString>> {
    let act = || format!("listing {}", directory.display());
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(act)?,
    };
    let names: std::io::Result<Vec<_>> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let mut names = names.with_context(act)?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_counts_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let (base, tree) = (dir.path().join("base"), dir.path().join("tree"));
        for path in ["base/d", "tree/d"] {
            std::fs::create_dir_all(dir.path().join(path)).expect("made");
        }
        for (path, text) in
            [("base/a", "1"), ("base/d/b", "2"), ("base/other", "3"), ("tree/d/b", "x"), ("tree/new", "y")]
        {
            std::fs::write(dir.path().join(path), text).expect("written");
        }
        let first = identify(&base, &tree, Kind::Directory).expect("identified");
        assert_eq!(first.hidden_files, 1);
        std::fs::write(base.join("other"), "changed").expect("written");
        assert_eq!(identify(&base, &tree, Kind::Directory).expect("identified"), first);
        std::fs::write(base.join("d/b"), "!").expect("written");
        assert_ne!(identify(&base, &tree, Kind::Directory).expect("identified").hidden, first.hidden);
    }
}
