//! A directory copied whole: every kind of file, hard links, holes, attributes, times.
//! It follows no link and decides nothing about what it finds; limits are kept while it copies.
//! Directories are walked by one thread, files copied by several; each through descriptors, so that a source that is
//! changed meanwhile can mislead nobody (openat(2), `O_NOFOLLOW`).

pub use super::copy_meta::Marks;
use super::copy_meta::{self, Xattrs};
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self as rfs, AtFlags, FileType, Mode, OFlags, Stat};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// How much a source may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub bytes: u64,
    /// Files, links and directories.
    pub entries: u64,
}

impl Limits {
    /// None that anything on this machine reaches.
    pub const NONE: Self = Self { bytes: u64::MAX, entries: u64::MAX };
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Bytes.
    pub bytes: u64,
    /// Files, links and directories.
    pub entries: u64,
    /// Attributes that the new file system does not take.
    pub lost_attributes: u64,
}

/// Levels of directories: each is two open descriptors.
const DEPTH_MAX: usize = 256;
/// Files that wait for a thread.
const WAITING: usize = 256;
const BLOCK: u64 = 512;

/// Copies what is in a directory into another that is there and empty, and gives that the first one's attributes.
pub fn tree(source: &OwnedFd, target: &Path, limits: Limits, marks: Marks) -> Result<Copied> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let to = rfs::open(target, flags, Mode::empty()).with_context(|| format!("opening {}", target.display()))?;
    let from = rfs::openat(source, ".", flags, Mode::empty()).context("opening the source")?;
    let state = State { limits, marks, ..State::default() };
    let (sender, receiver) = sync_channel(WAITING);
    let receiver = Mutex::new(receiver);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let mut walk = Walk { state: &state, sender, links: HashMap::new(), directories: Vec::new() };
    let (walked, directories) = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| state.work(&receiver));
        }
        let walked = walk.directory(Arc::new(from), Arc::new(to), Path::new(""));
        // The threads end when nobody can send them anything any more.
        (walked, walk.end())
    });
    state.outcome(walked)?;
    finish(target, directories, &state)?;
    Ok(state.copied())
}

/// Copies one file to a name that is free.
pub fn file(source: &OwnedFd, target: &Path, limits: Limits) -> Result<Copied> {
    let state = State { limits, ..State::default() };
    let directory = target.parent().unwrap_or(Path::new("/"));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let to = rfs::open(directory, flags, Mode::empty()).with_context(|| format!("opening {}", directory.display()))?;
    let name = target.file_name().unwrap_or_default().as_encoded_bytes();
    let source = File::from(source.try_clone().context("keeping the source")?);
    state.count(1, 0)?;
    state.copy_open(&source, &to, name)?;
    Ok(state.copied())
}

/// What all threads share.
#[derive(Default)]
struct State {
    limits: Limits,
    marks: Marks,
    bytes: AtomicU64,
    entries: AtomicU64,
    lost: AtomicU64,
    fault: Mutex<Option<anyhow::Error>>,
    failed: AtomicU64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

#[allow(clippy::derivable_impls, reason = "what is the default is a decision of this file's")]
impl Default for Marks {
    fn default() -> Self {
        Self::Dropped
    }
}

/// A file for a thread.
struct Job {
    from: Arc<OwnedFd>,
    to: Arc<OwnedFd>,
    name: Vec<u8>,
    shown: PathBuf,
}

impl State {
    fn work(&self, jobs: &Mutex<Receiver<Job>>) {
        loop {
            let job = match jobs.lock() {
                Ok(jobs) => jobs.recv(),
                Err(_) => return,
            };
            let Ok(job) = job else { return };
            if self.failed.load(Relaxed) > 0 {
                continue;
            }
            let copied = self.copy(&job.from, &job.to, &job.name);
            if let Err(error) = copied.with_context(|| format!("copying {}", job.shown.display())) {
                self.fail(error);
            }
        }
    }

    fn fail(&self, error: anyhow::Error) {
        self.failed.fetch_add(1, Relaxed);
        if let Ok(mut fault) = self.fault.lock() {
            fault.get_or_insert(error);
        }
    }

    fn outcome(&self, walked: Result<()>) -> Result<()> {
        // A thread's fault comes first: the walk may have ended for it.
        match self.fault.lock().ok().and_then(|mut fault| fault.take()) {
            Some(error) => Err(error),
            None => walked,
        }
    }

    fn copied(&self) -> Copied {
        let (bytes, entries) = (self.bytes.load(Relaxed), self.entries.load(Relaxed));
        Copied { bytes, entries, lost_attributes: self.lost.load(Relaxed) }
    }

    fn count(&self, entries: u64, bytes: u64) -> Result<()> {
        let entries = self.entries.fetch_add(entries, Relaxed) + entries;
        let bytes = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        if entries > self.limits.entries {
            return Err(Fault::data(format!("the source has more than {} files", self.limits.entries)).into());
        }
        if bytes > self.limits.bytes {
            return Err(Fault::data(format!("the source has more than {} bytes", self.limits.bytes)).into());
        }
        Ok(())
    }

    fn copy(&self, from: &OwnedFd, to: &OwnedFd, name: &[u8]) -> Result<()> {
        // NONBLOCK: what was a file a moment ago may be a pipe now.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = File::from(rfs::openat(from, name, flags, Mode::empty())?);
        self.copy_open(&source, to, name)
    }

    fn copy_open(&self, mut source: &File, to: &OwnedFd, name: &[u8]) -> Result<()> {
        let stat = rfs::fstat(source)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            anyhow::bail!("it is no file any more");
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let target = File::from(rfs::openat(to, name, flags, Mode::from_raw_mode(0o600))?);
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        // Said before it is written, so that a limit is one of writing, too.
        self.count(0, size)?;
        if u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(BLOCK) < size {
            copy_sparse(source, &target, size)?;
        } else {
            // No more than was counted, even if it grows.
            std::io::copy(&mut (&mut source).take(size), &mut &target)?;
        }
        let xattrs = copy_meta::xattrs(source.as_fd(), self.marks)?;
        self.lost.fetch_add(copy_meta::give(target.as_fd(), &stat, &xattrs)?, Relaxed);
        Ok(())
    }
}

/// Copies the data between the holes.
fn copy_sparse(mut source: &File, mut target: &File, size: u64) -> Result<()> {
    target.set_len(size)?;
    let mut at = 0;
    while at < size {
        let begin = match rfs::seek(source, rfs::SeekFrom::Data(at)) {
            Ok(begin) => begin,
            Err(rustix::io::Errno::NXIO) => break,
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => at,
            Err(errno) => return Err(errno.into()),
        };
        let end = rfs::seek(source, rfs::SeekFrom::Hole(begin)).unwrap_or(size).min(size);
        source.seek(SeekFrom::Start(begin))?;
        target.seek(SeekFrom::Start(begin))?;
        std::io::copy(&mut (&mut source).take(end.saturating_sub(begin)), &mut target)?;
        at = end.max(begin + 1);
    }
    Ok(())
}

/// A directory whose attributes are set when everything in it is there.
struct Directory {
    path: PathBuf,
    stat: Stat,
    xattrs: Xattrs,
}

struct Walk<'a> {
    state: &'a State,
    sender: SyncSender<Job>,
    /// The first name of each file that has several.
    links: HashMap<(u64, u64), (Arc<OwnedFd>, Vec<u8>)>,
    directories: Vec<Directory>,
}

impl Walk<'_> {
    fn end(self) -> Vec<Directory> {
        self.directories
    }

    fn directory(&mut self, from: Arc<OwnedFd>, to: Arc<OwnedFd>, path: &Path) -> Result<()> {
        if path.components().count() > DEPTH_MAX {
            return Err(Fault::data(format!("{}: the source is too deep", path.display())).into());
        }
        let act = || format!("copying {}", path.display());
        self.state.count(1, 0)?;
        let stat = rfs::fstat(&from).with_context(act)?;
        let xattrs = copy_meta::xattrs(from.as_fd(), self.state.marks).with_context(act)?;
        self.directories.push(Directory { path: path.to_owned(), stat, xattrs });
        for entry in rfs::Dir::read_from(&from).with_context(act)? {
            let entry = entry.with_context(act)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if self.state.failed.load(Relaxed) > 0 {
                return Ok(());
            }
            let below = path.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name));
            self.entry(&from, &to, name, &below)?;
        }
        Ok(())
    }

    fn entry(&mut self, from: &Arc<OwnedFd>, to: &Arc<OwnedFd>, name: &[u8], path: &Path) -> Result<()> {
        let act = || format!("copying {}", path.display());
        let stat = rfs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).with_context(act)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = rfs::openat(from, name, flags, Mode::empty()).with_context(act)?;
                rfs::mkdirat(to, name, Mode::from_raw_mode(0o700)).with_context(act)?;
                let new = rfs::openat(to, name, flags, Mode::empty()).with_context(act)?;
                self.directory(Arc::new(below), Arc::new(new), path)
            }
            FileType::RegularFile => self.file(from, to, name, &stat, path),
            kind => {
                self.state.count(1, 0)?;
                self.special(from, to, name, kind).with_context(act)
            }
        }
    }

    fn file(&mut self, from: &Arc<OwnedFd>, to: &Arc<OwnedFd>, name: &[u8], stat: &Stat, path: &Path) -> Result<()> {
        let act = || format!("copying {}", path.display());
        self.state.count(1, 0)?;
        if stat.st_nlink > 1 {
            if let Some((first, first_name)) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                return rfs::linkat(first, first_name.as_slice(), to, name, AtFlags::empty()).with_context(act);
            }
            self.links.insert((stat.st_dev, stat.st_ino), (to.clone(), name.to_vec()));
            // At once: the next name is linked to it.
            return self.state.copy(from, to, name).with_context(act);
        }
        let job = Job { from: from.clone(), to: to.clone(), name: name.to_vec(), shown: path.to_owned() };
        self.sender.send(job).ok().context("handing a file to a thread")
    }

    fn special(&self, from: &OwnedFd, to: &OwnedFd, name: &[u8], kind: FileType) -> Result<()> {
        let inode = rfs::openat(from, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rfs::fstat(&inode)?;
        if FileType::from_raw_mode(stat.st_mode) != kind {
            anyhow::bail!("it was changed while it was copied");
        }
        if kind == FileType::Symlink {
            let target = rfs::readlinkat(&inode, "", Vec::new())?;
            rfs::symlinkat(target.as_c_str(), to, name)?;
            return Ok(copy_meta::give_link(to.as_fd(), name, &stat)?);
        }
        let xattrs = copy_meta::xattrs(inode.as_fd(), self.state.marks)?;
        rfs::mknodat(to, name, kind, Mode::from_raw_mode(0o600), stat.st_rdev)?;
        let new = rfs::openat(to, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        self.state.lost.fetch_add(copy_meta::give(new.as_fd(), &stat, &xattrs)?, Relaxed);
        Ok(())
    }
}

/// The deepest first: what is done in a directory changes its time.
fn finish(target: &Path, directories: Vec<Directory>, state: &State) -> Result<()> {
    for Directory { path, stat, xattrs } in directories.into_iter().rev() {
        let path = target.join(path);
        let act = || format!("finishing {}", path.display());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rfs::open(&path, flags, Mode::empty()).with_context(act)?;
        let lost = copy_meta::give(directory.as_fd(), &stat, &xattrs).with_context(act)?;
        state.lost.fetch_add(lost, Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn open(path: &Path) -> OwnedFd {
        rfs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("opened")
    }

    #[test]
    fn a_copy_has_all_that_its_source_has() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::create_dir_all(from.join("d/e")).expect("made");
        std::fs::create_dir(&to).expect("made");
        for number in 0..500 {
            std::fs::write(from.join(format!("d/{number}")), number.to_string()).expect("written");
        }
        std::fs::hard_link(from.join("d/7"), from.join("d/e/seven")).expect("linked");
        std::fs::set_permissions(from.join("d/8"), PermissionsExt::from_mode(0o2751)).expect("set");
        symlink("nowhere", from.join("l")).expect("linked");
        File::create(from.join("hole")).and_then(|file| file.set_len(8 << 20)).expect("a hole");
        let copied = tree(&open(&from), &to, Limits::NONE, Marks::Dropped).expect("copied");
        assert_eq!(copied.entries, 500 + 3 + 3);
        let meta = |path: PathBuf| std::fs::symlink_metadata(path).expect("there");
        assert_eq!(meta(to.join("d/7")).ino(), meta(to.join("d/e/seven")).ino());
        assert_eq!(meta(to.join("d/8")).mode() & 0o7777, 0o2751);
        assert_eq!(meta(to.join("d")).mtime_nsec(), meta(from.join("d")).mtime_nsec());
        assert_eq!(meta(to.join("l")).mtime_nsec(), meta(from.join("l")).mtime_nsec());
        assert!(meta(to.join("hole")).blocks() < 100);
        assert_eq!(std::fs::read_to_string(to.join("d/499")).expect("read"), "499");
    }

    #[test]
    fn a_limit_ends_the_copy() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::create_dir(&from).expect("made");
        std::fs::create_dir(&to).expect("made");
        for name in ["a", "b", "c"] {
            std::fs::write(from.join(name), vec![0x61; 1000]).expect("written");
        }
        for limits in [Limits { bytes: 2999, entries: 9 }, Limits { bytes: 9999, entries: 3 }] {
            let said = tree(&open(&from), &to, limits, Marks::Dropped).expect_err("too much");
            assert!(format!("{said:#}").contains("more than"), "{said:#}");
            std::fs::remove_dir_all(&to).and_then(|()| std::fs::create_dir(&to)).expect("anew");
        }
    }
}
