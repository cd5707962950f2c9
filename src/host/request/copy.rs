//! The copy of a user's source: read with the user's rights, written with root's, and root's own afterwards.
//! It judges nothing (`crate::request::hazard` does), and refuses what only a hostile source has.
//! Why it cannot be raced: every name is opened once, without following it (openat2(2)); what was seen of that inode is
//! what is judged, and the copy gets nothing that was not seen. Rights: setfsuid(2), which drops root's over files too.

use super::no_files;
use super::peer::Peer;
use super::rights::Rights;
use crate::request::Denial;
use crate::request::hazard::{Act, Hazard, Seen, Verdict, act, hazards, mode_of_copy};
use crate::request::limits::{Rules, too_large};
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{self as rfs, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

/// Levels of directories: each is a few open descriptors.
const DEPTH_MAX: usize = 100;
/// Verdicts that are told one by one.
const VERDICTS_MAX: usize = 100;
/// What a directory, a link and every name cost at least.
const ENTRY: u64 = 4096;
const PIECE: usize = 256 << 10;

/// What was copied.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) verdicts: Vec<Verdict>,
    /// Verdicts that are not listed.
    pub(super) more: u64,
    refused: bool,
}

/// What is copied, and how much of it.
#[derive(Debug)]
pub(super) struct Copier<'a> {
    peer: &'a Peer,
    rules: &'a Rules,
    room: u64,
    /// Names that have been listed, at whatever level, and not come to yet.
    ahead: u64,
    copied: Copied,
}

/// What a source turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

/// Where a copy goes, and where it came from.
#[derive(Clone, Copy)]
struct At<'a> {
    to: &'a OwnedFd,
    name: &'a [u8],
    /// The path in the source; empty for the source itself.
    path: &'a str,
    depth: usize,
}

impl At<'_> {
    fn told<T>(self, done: rustix::io::Result<T>) -> Result<T, Denial> {
        done.map_err(|errno| failed(self.path, errno))
    }
}

impl<'a> Copier<'a> {
    /// A copier that reads as the peer, whose groups have been taken.
    pub(super) fn new(peer: &'a Peer, rules: &'a Rules, room: u64) -> Self {
        Self { peer, rules, room, ahead: 0, copied: Copied::default() }
    }

    /// Copies a source to `tree` or `file` in a directory of ours.
    pub(super) fn run(mut self, source: &OwnedFd, to: &OwnedFd) -> Result<(Kind, Copied), Denial> {
        let at = |name, depth| At { to, name, path: "", depth };
        let stat = at(b"", 0).told(rfs::fstat(source))?;
        no_files::refuse(source.as_fd())?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                self.directory(source.as_fd(), &stat, at(b"tree", 0))?;
                Kind::Directory
            }
            FileType::RegularFile => {
                self.file(source.as_fd(), &stat, at(b"file", 1))?;
                Kind::File
            }
            _ => return Err(Denial::refused("the source is neither a directory nor a file")),
        };
        match self.copied.refused {
            true => Err(Denial::Refused(self.reasons())),
            false => Ok((kind, self.copied)),
        }
    }

    fn reasons(&self) -> String {
        let refused = self.copied.verdicts.iter().filter(|verdict| verdict.act == Act::Refused);
        let mut reasons: Vec<String> = refused.map(ToString::to_string).collect();
        if self.copied.more > 0 {
            reasons.push(format!("and {} more", self.copied.more));
        }
        reasons.join("; ")
    }

    fn directory(&mut self, inode: BorrowedFd<'_>, stat: &Stat, at: At<'_>) -> Result<(), Denial> {
        if at.depth > DEPTH_MAX {
            let path = shorter(at.path);
            return Err(Denial::LimitExceeded(format!("{path} is more than {DEPTH_MAX} levels deep")));
        }
        self.count(ENTRY)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let from = at.told(self.as_user(|| rfs::openat(inode, ".", flags, Mode::empty())))?;
        at.told(rfs::mkdirat(at.to, at.name, Mode::RWXU))?;
        let copy = at.told(rfs::openat(at.to, at.name, flags | OFlags::NOFOLLOW, Mode::empty()))?;
        let listed = self.names(&from, at)?;
        for below in listed {
            self.ahead -= 1;
            let path = joined(at.path, &below);
            self.entry(&from, At { to: &copy, name: &below, path: &path, depth: at.depth + 1 })?;
        }
        self.judge(&Seen { mode: stat.st_mode, ..Seen::default() }, at);
        at.told(finish(&copy, stat))
    }

    /// The names in a directory, sorted. Those of all levels that are open are counted together: more than may be copied
    /// are never kept.
    fn names(&mut self, directory: &OwnedFd, at: At<'_>) -> Result<Vec<Vec<u8>>, Denial> {
        let left = self.rules.files.saturating_sub(self.copied.files.saturating_add(self.ahead));
        let mut names = Vec::new();
        for entry in at.told(rfs::Dir::read_from(directory))? {
            let name = at.told(entry)?.file_name().to_bytes().to_vec();
            if matches!(name.as_slice(), b"." | b"..") {
                continue;
            }
            if names.len() as u64 >= left {
                return Err(self.too_many());
            }
            names.push(name);
        }
        self.ahead += names.len() as u64;
        names.sort_unstable();
        Ok(names)
    }

    fn too_many(&self) -> Denial {
        let most = self.rules.files;
        Denial::LimitExceeded(format!("the source has more than {most} files, links and directories"))
    }

    fn entry(&mut self, from: &OwnedFd, at: At<'_>) -> Result<(), Denial> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let within =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let path = at.path;
        let opened = self.as_user(|| rfs::openat2(from, at.name, flags, Mode::empty(), within));
        let inode = opened.map_err(|errno| match errno {
            Errno::XDEV => Denial::refused(format!("{path}: something else is mounted there, and is not copied")),
            Errno::NOENT => Denial::refused(format!("{path}: it changed while it was copied")),
            errno => failed(path, errno),
        })?;
        let stat = at.told(rfs::fstat(&inode))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.directory(inode.as_fd(), &stat, at),
            FileType::RegularFile => self.file(inode.as_fd(), &stat, at),
            FileType::Symlink => self.link(&inode, &stat, at),
            _ => {
                self.count(ENTRY)?;
                self.judge(&Seen { mode: stat.st_mode, ..Seen::default() }, at);
                Ok(())
            }
        }
    }

    fn link(&mut self, inode: &OwnedFd, stat: &Stat, at: At<'_>) -> Result<(), Denial> {
        self.count(ENTRY)?;
        let target = at.told(rfs::readlinkat(inode, "", Vec::new()))?;
        let seen = Seen { mode: stat.st_mode, link: Some(target.as_bytes().to_vec()), has_capability: false };
        self.judge(&seen, at);
        at.told(rfs::symlinkat(&target, at.to, at.name))?;
        at.told(rfs::utimensat(at.to, at.name, &times(stat), AtFlags::SYMLINK_NOFOLLOW))
    }

    fn file(&mut self, inode: BorrowedFd<'_>, stat: &Stat, at: At<'_>) -> Result<(), Denial> {
        self.count(0)?;
        // The same inode, opened anew: whoever sent a descriptor may not have the right to read what it names.
        let same = format!("/proc/self/fd/{}", inode.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let from = at.told(self.as_user(|| rfs::open(&same, flags, Mode::empty())))?;
        let has_capability = rfs::fgetxattr(&from, "security.capability", &mut [0u8; 64]).is_ok();
        self.judge(&Seen { mode: stat.st_mode, link: None, has_capability }, at);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let copy = at.told(rfs::openat(at.to, at.name, flags, Mode::RUSR | Mode::WUSR))?;
        self.content(&from, &copy, at)?;
        at.told(finish(&copy, stat))
    }

    fn content(&mut self, from: &OwnedFd, to: &OwnedFd, at: At<'_>) -> Result<(), Denial> {
        let mut piece = vec![0; PIECE];
        loop {
            let length = match rustix::io::read(from, piece.as_mut_slice()) {
                Err(Errno::INTR) => continue,
                read => at.told(read)?,
            };
            if length == 0 {
                return Ok(());
            }
            self.bytes(length as u64)?;
            let mut rest = &piece[..length];
            while !rest.is_empty() {
                let written = at.told(rustix::io::write(to, rest))?;
                rest = &rest[written..];
            }
        }
    }

    fn judge(&mut self, seen: &Seen, at: At<'_>) {
        for hazard in hazards(seen, at.depth) {
            let act = act(hazard, &self.rules.refuse);
            self.copied.refused |= act == Act::Refused;
            match self.copied.verdicts.len() < VERDICTS_MAX {
                true => self.copied.verdicts.push(Verdict { path: at.path.to_owned(), hazard, act }),
                false => self.copied.more += 1,
            }
        }
        debug_assert!(Hazard::ALL.len() < VERDICTS_MAX);
    }

    fn count(&mut self, bytes: u64) -> Result<(), Denial> {
        self.copied.files += 1;
        if self.copied.files > self.rules.files {
            return Err(self.too_many());
        }
        self.bytes(bytes)
    }

    fn bytes(&mut self, bytes: u64) -> Result<(), Denial> {
        self.copied.bytes += bytes;
        match self.copied.bytes <= self.room {
            true => Ok(()),
            false => Err(too_large(self.copied.bytes, self.room)),
        }
    }

    /// Does something with the user's rights over files, and none of root's.
    fn as_user<T>(&self, act: impl FnOnce() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        let _rights = Rights::of(self.peer)?;
        act()
    }
}

fn finish(copy: &OwnedFd, stat: &Stat) -> rustix::io::Result<()> {
    rfs::fchmod(copy, Mode::from_raw_mode(mode_of_copy(stat.st_mode)))?;
    rfs::futimens(copy, &times(stat))
}

fn times(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default() };
    Timestamps { last_access: time, last_modification: time }
}

fn joined(path: &str, name: &[u8]) -> String {
    let name: String =
        String::from_utf8_lossy(name).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if path.is_empty() { name } else { format!("{path}/{name}") }
}

/// The end of a long path, which is the telling part.
fn shorter(path: &str) -> String {
    let skipped = path.chars().count().saturating_sub(60);
    if skipped == 0 { path.to_owned() } else { format!("…{}", path.chars().skip(skipped).collect::<String>()) }
}

pub(super) fn failed(path: &str, errno: Errno) -> Denial {
    let path = if path.is_empty() { "the source".to_owned() } else { shorter(path) };
    match errno {
        Errno::ACCESS | Errno::PERM => Denial::Refused(format!("{path}: you may not read it")),
        Errno::NOTDIR | Errno::LOOP => Denial::Refused(format!("{path}: it changed while it was copied")),
        Errno::NOSPC | Errno::DQUOT => Denial::Failed(format!("{path}: there is no room for a copy")),
        errno => Denial::Failed(format!("{path}: {errno}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn opened(path: &Path) -> OwnedFd {
        rfs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("a directory")
    }

    fn peer() -> Peer {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        Peer::of(&OwnedFd::from(ours)).expect("a peer")
    }

    #[test]
    fn names_of_all_open_levels_are_counted_before_they_are_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, to) = (dir.path().join("source"), dir.path().join("to"));
        let deepest = source.join("a/a/a/a");
        std::fs::create_dir_all(&deepest).expect("made");
        std::fs::create_dir(&to).expect("made");
        for level in deepest.ancestors().take_while(|level| level.starts_with(&source)) {
            (0..5).for_each(|number| std::fs::write(level.join(format!("f{number}")), "").expect("written"));
        }
        let (peer, rules) = (peer(), Rules { files: 10, ..Rules::default() });
        let done = Copier::new(&peer, &rules, u64::MAX).run(&opened(&source), &opened(&to));
        assert!(matches!(done, Err(Denial::LimitExceeded(_))), "{done:?}");
        // The second level has more names than were left, so none of them was gone into.
        assert!(to.join("tree/a").exists() && !to.join("tree/a/a").exists());
    }

    #[test]
    fn as_many_as_are_allowed_are_copied() {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, to) = (dir.path().join("source"), dir.path().join("to"));
        std::fs::create_dir_all(source.join("a/a")).expect("made");
        std::fs::create_dir(&to).expect("made");
        ["f", "a/f", "a/a/f"].iter().for_each(|name| std::fs::write(source.join(name), "").expect("written"));
        let (peer, rules) = (peer(), Rules { files: 6, ..Rules::default() });
        let (kind, copied) =
            Copier::new(&peer, &rules, u64::MAX).run(&opened(&source), &opened(&to)).expect("it is not too much");
        assert_eq!((kind, copied.files), (Kind::Directory, 6));
    }
}
