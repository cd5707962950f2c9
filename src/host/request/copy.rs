//! The copy of a user's source: read with the user's rights, written with root's, and root's own afterwards.
//! It judges nothing (`crate::request::hazard` does), and refuses what only a hostile source has.
//! Why it cannot be raced: every name is opened once, without following it (openat2(2)); what was seen of that inode is
//! what is judged, and the copy gets nothing that was not seen. Rights: setfsuid(2), which drops root's over files too.

use super::peer::Peer;
use crate::request::Denial;
use crate::request::hazard::{Act, Hazard, Seen, Verdict, act, hazards, mode_of_copy};
use crate::request::limits::{Rules, too_large};
use crate::verity::Fault;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid, setgroups};
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{self as rfs, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;
use std::path::Path;

/// Levels of directories: each is a few open descriptors.
const DEPTH_MAX: usize = 100;
/// Verdicts that are told one by one.
const VERDICTS_MAX: usize = 100;
/// What a directory, a link and every name cost at least.
const ENTRY: u64 = 4096;
const PIECE: usize = 256 << 10;

/// File systems that are no files: statfs(2)'s numbers. Their reading has effects, or no end, or waits for a program.
const NO_FILES: [(i64, &str); 16] = [
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6367_7270, "cgroup2"),
    (0x0027_e0eb, "cgroup"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x1cd1, "devpts"),
    (0x7363_6673, "securityfs"),
    (0xf97c_ff8c, "selinuxfs"),
    (0xcafe_4a11, "bpf"),
    (0xde5e_81e4, "efivarfs"),
    (0x6165_676c, "pstore"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x1980_0202, "mqueue"),
    (0x6265_6570, "configfs"),
    (0x6573_5546, "FUSE"),
];

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
    copied: Copied,
}

/// What a source turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

impl<'a> Copier<'a> {
    /// A copier that reads as the peer from now on.
    pub(super) fn new(peer: &'a Peer, rules: &'a Rules, room: u64) -> Result<Self, Denial> {
        // For good: root needs no groups. Only the user's ids are changed back and forth.
        let groups: Vec<Gid> = peer.groups.iter().copied().map(Gid::from_raw).collect();
        setgroups(&groups).map_err(|errno| Denial::Failed(format!("taking the user's groups: {errno}")))?;
        Ok(Self { peer, rules, room, copied: Copied::default() })
    }

    /// Copies a source to `tree` or `file` in a directory of ours.
    pub(super) fn run(mut self, source: &OwnedFd, to: &OwnedFd) -> Result<(Kind, Copied), Denial> {
        let stat = rfs::fstat(source).map_err(|errno| failed("", errno))?;
        refuse_kernel(source.as_fd())?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                self.directory(source.as_fd(), &stat, to, b"tree", "", 0)?;
                Kind::Directory
            }
            FileType::RegularFile => {
                self.file(source.as_fd(), &stat, to, b"file", "", 1)?;
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

    fn directory(
        &mut self,
        inode: BorrowedFd<'_>,
        stat: &Stat,
        to: &OwnedFd,
        name: &[u8],
        path: &str,
        depth: usize,
    ) -> Result<(), Denial> {
        if depth > DEPTH_MAX {
            return Err(Denial::LimitExceeded(format!("{} is more than {DEPTH_MAX} levels deep", shorter(path))));
        }
        self.count(ENTRY)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let from =
            self.as_user(|| rfs::openat(inode, ".", flags, Mode::empty())).map_err(|errno| failed(path, errno))?;
        rfs::mkdirat(to, name, Mode::RWXU).map_err(|errno| failed(path, errno))?;
        let copy =
            rfs::openat(to, name, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|errno| failed(path, errno))?;
        for below in names(&from, self.rules.files).map_err(|errno| failed(path, errno))? {
            let shown = joined(path, &below);
            self.entry(&from, &copy, &below, &shown, depth + 1)?;
        }
        self.judge(&Seen { mode: stat.st_mode, ..Seen::default() }, path, depth);
        finish(&copy, stat).map_err(|errno| failed(path, errno))
    }

    fn entry(&mut self, from: &OwnedFd, to: &OwnedFd, name: &[u8], path: &str, depth: usize) -> Result<(), Denial> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let within =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let opened = self.as_user(|| rfs::openat2(from, name, flags, Mode::empty(), within));
        let inode = opened.map_err(|errno| match errno {
            Errno::XDEV => Denial::refused(format!("{path}: something else is mounted there, and is not copied")),
            Errno::NOENT => Denial::refused(format!("{path}: it changed while it was copied")),
            errno => failed(path, errno),
        })?;
        let stat = rfs::fstat(&inode).map_err(|errno| failed(path, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.directory(inode.as_fd(), &stat, to, name, path, depth),
            FileType::RegularFile => self.file(inode.as_fd(), &stat, to, name, path, depth),
            FileType::Symlink => self.link(&inode, &stat, to, name, path, depth),
            _ => {
                self.count(ENTRY)?;
                self.judge(&Seen { mode: stat.st_mode, ..Seen::default() }, path, depth);
                Ok(())
            }
        }
    }

    fn link(
        &mut self,
        inode: &OwnedFd,
        stat: &Stat,
        to: &OwnedFd,
        name: &[u8],
        path: &str,
        depth: usize,
    ) -> Result<(), Denial> {
        self.count(ENTRY)?;
        let target = rfs::readlinkat(inode, "", Vec::new()).map_err(|errno| failed(path, errno))?;
        let seen = Seen { mode: stat.st_mode, link: Some(target.as_bytes().to_vec()), has_capability: false };
        self.judge(&seen, path, depth);
        rfs::symlinkat(&target, to, name).map_err(|errno| failed(path, errno))?;
        rfs::utimensat(to, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| failed(path, errno))
    }

    fn file(
        &mut self,
        inode: BorrowedFd<'_>,
        stat: &Stat,
        to: &OwnedFd,
        name: &[u8],
        path: &str,
        depth: usize,
    ) -> Result<(), Denial> {
        self.count(0)?;
        // The same inode, opened anew: whoever sent a descriptor may not have the right to read what it names.
        let same = format!("/proc/self/fd/{}", inode.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let from = self.as_user(|| rfs::open(&same, flags, Mode::empty())).map_err(|errno| failed(path, errno))?;
        let has_capability = rfs::fgetxattr(&from, "security.capability", &mut [0u8; 64]).is_ok();
        self.judge(&Seen { mode: stat.st_mode, link: None, has_capability }, path, depth);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let copy = rfs::openat(to, name, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| failed(path, errno))?;
        self.content(&from, &copy, path)?;
        finish(&copy, stat).map_err(|errno| failed(path, errno))
    }

    fn content(&mut self, from: &OwnedFd, to: &OwnedFd, path: &str) -> Result<(), Denial> {
        let mut piece = vec![0; PIECE];
        loop {
            let length = match rustix::io::read(from, piece.as_mut_slice()) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(failed(path, errno)),
            };
            self.bytes(length as u64)?;
            let mut rest = &piece[..length];
            while !rest.is_empty() {
                let written = rustix::io::write(to, rest).map_err(|errno| failed(path, errno))?;
                rest = &rest[written..];
            }
        }
    }

    fn judge(&mut self, seen: &Seen, path: &str, depth: usize) {
        for hazard in hazards(seen, depth) {
            let act = act(hazard, &self.rules.refuse);
            self.copied.refused |= act == Act::Refused;
            match self.copied.verdicts.len() < VERDICTS_MAX {
                true => self.copied.verdicts.push(Verdict { path: path.to_owned(), hazard, act }),
                false => self.copied.more += 1,
            }
        }
        debug_assert!(Hazard::ALL.len() < VERDICTS_MAX);
    }

    fn count(&mut self, bytes: u64) -> Result<(), Denial> {
        self.copied.files += 1;
        if self.copied.files > self.rules.files {
            let most = self.rules.files;
            return Err(Denial::LimitExceeded(format!("the source has more than {most} files, links and directories")));
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

/// The rights of a user over files, until it is dropped.
struct Rights;

impl Rights {
    fn of(peer: &Peer) -> rustix::io::Result<Self> {
        setfsgid(Gid::from_raw(peer.gid));
        setfsuid(Uid::from_raw(peer.uid));
        let rights = Self;
        // The calls say only what was before; an id that is none changes nothing, and tells.
        let (none, nobody) = (Uid::from_raw(u32::MAX), Gid::from_raw(u32::MAX));
        match setfsuid(none).as_raw() == peer.uid && setfsgid(nobody).as_raw() == peer.gid {
            true => Ok(rights),
            false => Err(Errno::PERM),
        }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        setfsuid(Uid::effective());
        setfsgid(Gid::effective());
    }
}

/// The names in a directory, sorted; not more than could be copied anyway.
fn names(directory: &OwnedFd, most: u64) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in rfs::Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(name.as_slice(), b"." | b"..") {
            names.push(name);
        }
        if names.len() as u64 > most {
            break;
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn finish(copy: &OwnedFd, stat: &Stat) -> rustix::io::Result<()> {
    rfs::fchmod(copy, Mode::from_raw_mode(mode_of_copy(stat.st_mode)))?;
    rfs::futimens(copy, &times(stat))
}

fn times(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default() };
    Timestamps { last_access: time, last_modification: time }
}

fn refuse_kernel(source: BorrowedFd<'_>) -> Result<(), Denial> {
    let kind = rfs::fstatfs(source).map_err(|errno| failed("", errno))?.f_type;
    match NO_FILES.iter().find(|(number, _)| *number == kind) {
        Some((_, name)) => Err(Denial::refused(format!("the source is in a file system of {name}: copy it first"))),
        None => Ok(()),
    }
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

fn failed(path: &str, errno: Errno) -> Denial {
    let path = if path.is_empty() { "the source".to_owned() } else { shorter(path) };
    match errno {
        Errno::ACCESS | Errno::PERM => Denial::Refused(format!("{path}: you may not read it")),
        Errno::NOTDIR | Errno::LOOP => Denial::Refused(format!("{path}: it changed while it was copied")),
        Errno::NOSPC | Errno::DQUOT => Denial::Failed(format!("{path}: there is no room for a copy")),
        errno => Denial::Failed(format!("{path}: {errno}")),
    }
}

/// Looks at a finished copy once more, as it will be seen: nothing in it may be anybody's but root's, or what was refused.
pub(super) fn inspect(path: &Path, rules: &Rules) -> anyhow::Result<()> {
    let refused = |path: &Path, what: &str| Fault::data(format!("{} in the copy {what}", path.display()));
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let stat = rfs::lstat(&path)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_uid != 0 || stat.st_gid != 0 {
            return Err(refused(&path, "is not root's").into());
        }
        let seen = Seen { mode: stat.st_mode, ..Seen::default() };
        let hazards = if kind == FileType::Symlink { Vec::new() } else { hazards(&seen, 1) };
        let never = |hazard: &&Hazard| hazard.never() || rules.refuse.contains(hazard);
        if let Some(hazard) = hazards.iter().find(never) {
            return Err(refused(&path, &format!("has become {}", hazard.name())).into());
        }
        if kind == FileType::Directory {
            for entry in std::fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    Ok(())
}
