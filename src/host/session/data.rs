//! A session's data: made with a mark that says whose it is, and deleted only where that mark is found.
//! It knows no unit and no lock: who asks has the lock of `claim`, so nobody else of ours is at the same data.
//! The mark is a link to the session's place, made before anything else is written and removed behind all else. A link
//! has no content that a power cut could lose (symlink(7)); and what has one, made by root in a directory of root's,
//! was made here, whatever the name of the directory it lies in.

use super::delete;
use crate::host::files::make_directory;
use crate::host::trusted::{Trusted, Wanted};
use crate::layout::SESSION_DATA;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;
use crate::session::SessionPaths;
use crate::session::paths::{DISK, OWNED, ROOT, data_of, data_of_app};
use crate::session::reap::Foreign;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;

/// What is in a session is root's, and its set-id programs are nobody's to run: systemd takes those who are meant to be
/// in it there (systemd.exec(5), `RootDirectory=`, `BindPaths=`).
pub const PRIVATE: u32 = 0o700;
/// What sessions had in their directory before they were marked.
const OLDER: [&str; 4] = [DISK, ROOT, "upper", "work"];

/// What lies where a session's data would be.
#[derive(Debug)]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// What `make` has made.
    Ours(OwnedFd),
    /// A directory of root's with nothing in it.
    Empty,
    /// What is not ours.
    Foreign(Foreign),
}

/// Looks at what is there.
pub fn look(directory: &AbsPath, id: &AppId, name: &SessionName) -> Result<Holds> {
    let path = data_of(directory, id, name);
    let opened = match open(&path) {
        Ok(opened) => opened,
        Err(Errno::NOENT) => return Ok(Holds::Nothing),
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Holds::Foreign(Foreign::NoDirectory)),
        Err(error) => return Err(error).with_context(|| format!("opening {path}")),
    };
    judge(directory, (id, name), opened).with_context(|| format!("looking at {path}"))
}

fn judge(directory: &AbsPath, (id, name): (&AppId, &SessionName), opened: OwnedFd) -> Result<Holds> {
    let owner = rustix::fs::fstat(&opened)?.st_uid;
    if owner != own_user() {
        return Ok(Holds::Foreign(Foreign::Owner(owner)));
    }
    if is_marked(&opened, &SessionPaths::new(id, name).dir)? {
        return Ok(Holds::Ours(opened));
    }
    let names = names_in(&opened)?;
    // That directory has always been ours alone.
    let older = directory.as_str() == SESSION_DATA && names.iter().all(|name| OLDER.contains(&name.as_str()));
    Ok(match (older, names.is_empty()) {
        (true, _) => Holds::Ours(opened),
        (false, true) => Holds::Empty,
        (false, false) => Holds::Foreign(Foreign::Unmarked),
    })
}

/// Whether a directory has the mark of this session's place.
fn is_marked(opened: &OwnedFd, place: &str) -> Result<bool> {
    let found = match rustix::fs::statat(opened, OWNED, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Symlink || found.st_uid != own_user() {
        return Ok(false);
    }
    Ok(rustix::fs::readlinkat(opened, OWNED, Vec::new())?.as_bytes() == place.as_bytes())
}

/// Whose sessions are: root's, but for tests.
fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn names_in(opened: &OwnedFd) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(opened)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Makes sure that a session's data can be made: its directories are root's alone, and nobody else's data is there.
/// What an earlier session of the name has left goes.
pub fn clear(directory: &AbsPath, id: &AppId, name: &SessionName) -> Result<()> {
    std::fs::create_dir_all(directory.as_str()).with_context(|| format!("making {directory}"))?;
    let of_app = data_of_app(directory, id);
    make_directory(&of_app, PRIVATE)?;
    let of_app = AbsPath::parse(&of_app).map_err(anyhow::Error::msg)?;
    Trusted::host()?.open(&of_app, Wanted::Directory)?;
    match look(directory, id, name)? {
        Holds::Nothing => Ok(()),
        // Of a session that a power cut ended, and that nobody has reaped yet.
        Holds::Ours(_) | Holds::Empty => remove(directory, id, name),
        Holds::Foreign(why) => {
            let path = data_of(directory, id, name);
            let text =
                format!("{path} is there already and no session's ({why}): sessions need a directory of their own");
            Err(Fault::data(text).into())
        }
    }
}

/// Makes the directory, which must not be there, and marks it.
pub fn make(path: &str, paths: &SessionPaths) -> Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), PRIVATE)
        .create(path)
        .with_context(|| format!("making {path}"))?;
    let mark = format!("{path}/{OWNED}");
    std::os::unix::fs::symlink(&paths.dir, &mark).with_context(|| format!("marking {path}"))
}

/// Deletes what is ours, and a directory with nothing in it; leaves alone what is not.
pub fn remove(directory: &AbsPath, id: &AppId, name: &SessionName) -> Result<()> {
    let path = data_of(directory, id, name);
    match look(directory, id, name)? {
        Holds::Ours(opened) => remove_opened(&opened, &path),
        Holds::Empty => remove_directory(&path),
        Holds::Nothing | Holds::Foreign(_) => Ok(()),
    }
}

/// Deletes what is ours by another witness: a session from before there were marks, which is up.
pub fn remove_unmarked(path: &str) -> Result<()> {
    match open(path) {
        Ok(opened) => remove_opened(&opened, path),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("opening {path}")),
    }
}

fn remove_opened(opened: &OwnedFd, path: &str) -> Result<()> {
    let act = || format!("deleting {path}");
    delete::empty_but(opened, OWNED).with_context(act)?;
    match rustix::fs::unlinkat(opened.as_fd(), OWNED, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error).with_context(act),
    }
    remove_directory(path)
}

fn remove_directory(path: &str) -> Result<()> {
    crate::host::files::remove_directory(path).map(drop)
}

fn open(path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _dir: tempfile::TempDir,
        directory: AbsPath,
        id: AppId,
        name: SessionName,
        data: String,
    }

    /// `DIR/alice/Documents`, as a session's data and as somebody's directory.
    fn place() -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        let directory = AbsPath::parse(&dir.path().display().to_string()).expect("a path");
        let (id, name) = (AppId::parse("alice").expect("an id"), SessionName::parse("Documents").expect("a name"));
        let data = data_of(&directory, &id, &name);
        std::fs::create_dir_all(data_of_app(&directory, &id)).expect("made");
        Place { _dir: dir, directory, id, name, data }
    }

    impl Place {
        fn holds(&self) -> Holds {
            look(&self.directory, &self.id, &self.name).expect("looked at")
        }

        fn remove(&self) {
            remove(&self.directory, &self.id, &self.name).expect("removed");
        }

        fn make(&self) {
            make(&self.data, &SessionPaths::new(&self.id, &self.name)).expect("made");
        }
    }

    #[test]
    fn what_has_no_mark_of_this_very_session_is_never_deleted() {
        let place = place();
        std::fs::create_dir(&place.data).expect("made");
        std::fs::write(format!("{}/letter", place.data), "dear").expect("written");
        let kept = || std::fs::read_to_string(format!("{}/letter", place.data)).expect("there");
        let mark = format!("{}/{OWNED}", place.data);
        for target in [None, Some("/run/veneer/sessions/alice/other"), Some("/")] {
            if let Some(target) = target {
                std::os::unix::fs::symlink(target, &mark).expect("linked");
            }
            assert!(matches!(place.holds(), Holds::Foreign(Foreign::Unmarked)), "{target:?}");
            place.remove();
            assert_eq!(kept(), "dear", "{target:?}");
            drop(std::fs::remove_file(&mark));
        }
        // A file that only has the name is no mark.
        std::fs::write(&mark, "/run/veneer/sessions/alice/Documents").expect("written");
        place.remove();
        assert_eq!(kept(), "dear");
        // What older versions have written is taken for ours in our own directory alone.
        std::fs::remove_dir_all(&place.data).expect("away");
        std::fs::create_dir_all(format!("{}/root", place.data)).expect("made");
        assert!(matches!(place.holds(), Holds::Foreign(Foreign::Unmarked)));
        std::fs::remove_dir_all(&place.data).expect("away");
        std::fs::write(&place.data, "").expect("written");
        assert!(matches!(place.holds(), Holds::Foreign(Foreign::NoDirectory)));
    }

    #[test]
    fn what_belongs_to_a_user_is_never_ours_whatever_is_in_it() {
        if own_user() != 0 {
            return;
        }
        let place = place();
        place.make();
        std::os::unix::fs::lchown(format!("{}/{OWNED}", place.data), Some(1000), None).expect("given away");
        assert!(matches!(place.holds(), Holds::Empty | Holds::Foreign(Foreign::Unmarked)));
        std::os::unix::fs::lchown(&place.data, Some(1000), None).expect("given away");
        assert!(matches!(place.holds(), Holds::Foreign(Foreign::Owner(1000))));
    }

    #[test]
    fn what_was_made_is_private_and_goes_with_all_that_is_in_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = place();
        place.make();
        let mode = std::fs::metadata(&place.data).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, PRIVATE);
        std::fs::create_dir_all(format!("{}/root/deep", place.data)).expect("made");
        std::fs::write(format!("{}/root/deep/file", place.data), "").expect("written");
        assert!(matches!(place.holds(), Holds::Ours(_)));
        place.remove();
        assert!(matches!(place.holds(), Holds::Nothing));
        place.remove();
        // What a kill between the last two steps leaves.
        std::fs::create_dir(&place.data).expect("made");
        place.remove();
        assert!(matches!(place.holds(), Holds::Nothing));
    }
}
