//! `veneer-overlay`: the upper and work directories of an app's writable layer, and who may write in it.
//! It mounts nothing and never deletes what is in use.
//! Inside an app's root no link leads out and none is followed last (openat2(2), `RESOLVE_IN_ROOT`): the app wrote them.

use super::files::make_directory;
use crate::name::UserName;
use crate::path::AbsPath;
use anyhow::{Context, Result, bail};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

/// Of the app's root itself; what the app may write in it is given by `own`.
const UPPER_MODE: u32 = 0o755;
/// The kernel's own scratch directory.
const WORK_MODE: u32 = 0o700;
/// The directory that holds both: nobody but root has business in there.
const DIRECTORY_MODE: u32 = 0o700;
/// Where systemd keeps the dynamic users it has given out (`src/core/dynamic-user.c`).
const DYNAMIC_USERS: &str = "/run/systemd/dynamic-uid/direct:";

/// The numbers systemd gives to dynamic users (docs/UIDS-GIDS.md of systemd).
const DYNAMIC_UIDS: std::ops::RangeInclusive<u32> = 61184..=65519;
/// Each level is an open file; a path of 4096 bytes has no more.
const DEPTH_MAX: usize = 256;

/// Makes `upper` and `work` in a directory, and the directory.
pub fn prepare(directory: &AbsPath) -> Result<()> {
    if let Some((parent, _)) = directory.as_str().rsplit_once('/') {
        if !std::fs::exists(parent).with_context(|| format!("looking for {parent}"))? {
            make_directory(parent, DIRECTORY_MODE)?;
        }
    }
    make_directory(directory.as_str(), DIRECTORY_MODE)?;
    make_directory(&format!("{directory}/upper"), UPPER_MODE)?;
    make_directory(&format!("{directory}/work"), WORK_MODE).map(drop)
}

/// Gives directories below the root of an app, or of a session, to its user, making those that are missing.
pub fn own(place: &str, user: &UserName, paths: &[AbsPath]) -> Result<()> {
    let (uid, gid) = numbers(user)?;
    // A session's root may be a link: it is ours, and only what is below is the app's.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(place, flags, Mode::empty()).with_context(|| format!("opening {place}"))?;
    paths.iter().try_for_each(|path| give(&root, path, uid, gid).with_context(|| format!("giving {path} to {user}")))
}

fn give(root: &OwnedFd, path: &AbsPath, uid: Uid, gid: Gid) -> Result<()> {
    let path = path.as_str();
    let mut here = open_in(root, ".", OFlags::empty())?;
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    for end in ends {
        let last = if end == path.len() { OFlags::NOFOLLOW } else { OFlags::empty() };
        here = make_in(root, &here, &path[..end], last)?;
    }
    let owner = rustix::fs::fstat(&here).context("looking at the owner")?.st_uid;
    if DYNAMIC_UIDS.contains(&owner) && owner != uid.as_raw() {
        pass_on(&here, owner, (uid, gid), DEPTH_MAX)?;
    }
    // Last: what breaks off before is begun again at the next start.
    rustix::fs::fchown(&here, Some(uid), Some(gid)).context("changing the owner")
}

/// systemd may have had to choose another number for the app's user: what the last one wrote goes to this one. What
/// belongs to others, as the image has it, stays theirs.
fn pass_on(dir: &OwnedFd, from: u32, to: (Uid, Gid), depth: usize) -> Result<()> {
    for entry in rustix::fs::Dir::read_from(dir).context("listing what is in it")? {
        let entry = entry.context("listing what is in it")?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let act = || format!("changing the owner of {}", name.to_string_lossy());
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).with_context(act)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let depth = depth.checked_sub(1).context("its directories are nested too deep")?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let inner = rustix::fs::openat(dir, name, flags, Mode::empty()).with_context(act)?;
            pass_on(&inner, from, to, depth)?;
        }
        if stat.st_uid == from {
            rustix::fs::chownat(dir, name, Some(to.0), Some(to.1), AtFlags::SYMLINK_NOFOLLOW).with_context(act)?;
        }
    }
    Ok(())
}

/// Opens a directory by its path in the root; makes it, in the parent that was opened before, if it is missing.
fn make_in(root: &OwnedFd, parent: &OwnedFd, path: &str, last: OFlags) -> Result<OwnedFd> {
    match open_in(root, path, last) {
        Err(Errno::NOENT) => {
            let name = path.rsplit('/').next().unwrap_or(path);
            rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(UPPER_MODE))
                .with_context(|| format!("making {path}"))?;
            open_in(root, path, last).with_context(|| format!("opening {path}"))
        }
        Err(Errno::LOOP | Errno::NOTDIR) => bail!("{path} is not a directory"),
        opened => opened.with_context(|| format!("opening {path}")),
    }
}

fn open_in(root: &OwnedFd, path: &str, more: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root.as_fd(), path, flags, Mode::empty(), resolve)
}

/// A user's numbers: of a dynamic user from systemd's own record, of any other from the user database.
fn numbers(user: &UserName) -> Result<(Uid, Gid)> {
    let record = format!("{DYNAMIC_USERS}{user}");
    if let Ok(target) = std::fs::read_link(&record) {
        let number: u32 =
            target.to_str().and_then(|text| text.parse().ok()).with_context(|| format!("reading {record}"))?;
        return Ok((Uid::from_raw(number), Gid::from_raw(number)));
    }
    match nix::unistd::User::from_name(user.as_str()).with_context(|| format!("looking for the user {user}"))? {
        Some(found) => Ok((Uid::from_raw(found.uid.as_raw()), Gid::from_raw(found.gid.as_raw()))),
        None => bail!("there is no user {user}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    #[test]
    fn both_directories_are_made_and_kept() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let place = AbsPath::parse(&format!("{}/overlays/a", dir.path().display())).expect("good path");
        prepare(&place).expect("made");
        std::fs::write(format!("{place}/upper/kept"), "").expect("file");
        prepare(&place).expect("made again");
        let mode = |name: &str| std::fs::metadata(format!("{place}{name}")).expect("there").mode() & 0o7777;
        assert_eq!((mode(""), mode("/upper"), mode("/work")), (0o700, 0o755, 0o700));
        assert!(std::fs::exists(format!("{place}/upper/kept")).expect("there"));
    }

    #[test]
    fn what_an_earlier_dynamic_user_wrote_goes_to_the_next_and_nothing_else() {
        if !rustix::process::getuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().expect("temporary directory");
        let own = |path: &str, uid| std::os::unix::fs::lchown(dir.path().join(path), Some(uid), Some(uid)).expect(path);
        std::fs::create_dir_all(dir.path().join("data/deep")).expect("directories");
        std::fs::write(dir.path().join("data/deep/file"), "").expect("file");
        std::fs::write(dir.path().join("data/image"), "").expect("file");
        symlink("/etc/passwd", dir.path().join("data/link")).expect("link");
        for path in ["data", "data/deep", "data/deep/file", "data/link"] {
            own(path, 61200);
        }
        let root = rustix::fs::open(dir.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("open");
        give(&root, &AbsPath::parse("/data").expect("path"), Uid::from_raw(61300), Gid::from_raw(61300))
            .expect("given");
        let owner = |path: &str| std::fs::symlink_metadata(dir.path().join(path)).expect(path).uid();
        let owners = ["data", "data/deep", "data/deep/file", "data/link", "data/image"].map(owner);
        assert_eq!(owners, [61300, 61300, 61300, 61300, 0]);
    }

    #[test]
    fn directories_are_given_inside_the_root_only() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (inside, outside) = (dir.path().join("root"), dir.path().join("outside"));
        std::fs::create_dir_all(inside.join("real")).expect("directory");
        std::fs::create_dir(&outside).expect("directory");
        symlink("/real", inside.join("link")).expect("link");
        symlink(&outside, inside.join("away")).expect("link");
        std::fs::write(inside.join("file"), "").expect("file");
        let root = rustix::fs::open(&inside, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("open");
        let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
        let give = |path| give(&root, &AbsPath::parse(path).expect("good path"), uid, gid);
        give("/a/b/c").expect("made and given");
        give("/link/new").expect("through a link inside");
        assert!(inside.join("a/b/c").is_dir() && inside.join("real/new").is_dir());
        for bad in ["/link", "/away", "/away/new", "/file", "/file/x"] {
            assert!(give(bad).is_err(), "{bad}");
        }
        assert!(!outside.join("new").exists());
    }
}
