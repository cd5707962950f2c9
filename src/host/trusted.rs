//! Opening files that only root can have changed, once and for all: afterwards only their descriptors are used.
//! It reads nothing in them.
//! Every directory on the way, links' targets included, and the file itself must belong to root and be writable by
//! nobody else; a sticky directory does not excuse, for in it anyone may make what is not there yet.

use crate::live::FileIdentity;
use crate::path::AbsPath;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::VecDeque;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A regular file, to be read.
    File,
    /// A directory.
    Directory,
}

/// Something opened, that only the trusted user can have changed.
#[derive(Debug)]
pub struct Opened {
    /// Its descriptor.
    pub fd: OwnedFd,
    /// The directory it really is in.
    pub parent: OwnedFd,
    /// What it was when it was opened.
    pub identity: FileIdentity,
    /// Its path without links.
    pub real: String,
}

/// Who may own what is opened, and where paths begin.
#[derive(Debug)]
pub struct Trusted {
    root: OwnedFd,
    owner: u32,
}

/// Links followed before it is called a loop; the kernel's own limit (path_resolution(7)).
const LINKS_MAX: u32 = 40;
/// Write permission of group and others; with an ACL the group's bits are its mask, so it is seen too.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A part of the path still to be walked.
struct Part {
    name: String,
    /// Whether a link's target named it: then its absence is a broken link, not an absent file.
    from_link: bool,
}

impl Trusted {
    /// The machine's own root, and root.
    pub fn host() -> Result<Self> {
        let root = rustix::fs::open("/", directory_flags(), Mode::empty()).context("opening /")?;
        Ok(Self { root, owner: 0 })
    }

    /// Another directory as root, and another owner; for tests, and for a root that is not the machine's.
    pub fn below(root: OwnedFd, owner: u32) -> Self {
        Self { root, owner }
    }

    /// Opens a path. `None` if it is not there, and nothing on the way to it is wrong.
    pub fn open(&self, path: &AbsPath, wanted: Wanted) -> Result<Option<Opened>> {
        let root = self.root.try_clone().context("keeping /")?;
        self.check(&stat(root.as_fd(), path.as_str())?, path.as_str(), "/")?;
        self.walk(vec![root], parts(path.as_str(), Origin::Typed), path.as_str(), wanted)
    }

    /// Opens a file beside one that is open; `shown` is the path that messages name.
    pub fn open_beside(&self, beside: &Opened, name: &str, shown: &str) -> Result<Option<Opened>> {
        let parent = beside.parent.try_clone().context("keeping a directory")?;
        self.walk(vec![parent], parts(name, Origin::Typed), shown, Wanted::File)
    }

    /// `stack` holds the directories walked through, so that `..` in a link's target goes back to a checked one.
    fn walk(
        &self,
        mut stack: Vec<OwnedFd>,
        mut rest: VecDeque<Part>,
        path: &str,
        wanted: Wanted,
    ) -> Result<Option<Opened>> {
        let mut links = 0;
        // The names of the directories walked through, for the path without links.
        let mut names: Vec<String> = Vec::new();
        loop {
            let Some(part) = rest.pop_front() else {
                // Only `/` itself, or a link to it, ends here.
                return self.finish_directory(&stack, path, wanted);
            };
            if part.name == ".." {
                if stack.len() > 1 {
                    stack.pop();
                    names.pop();
                }
                continue;
            }
            let Some(here) = stack.last() else { anyhow::bail!("{path} leads above its beginning") };
            let found = match rustix::fs::openat(
                here,
                &part.name,
                OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            ) {
                Ok(found) => found,
                Err(Errno::NOENT) if part.from_link => {
                    return Err(Fault::data(format!("{path} is a link to nothing")).into());
                }
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(error).with_context(|| format!("opening {path}")),
            };
            let status = stat(found.as_fd(), path)?;
            match FileType::from_raw_mode(status.st_mode) {
                FileType::Symlink => {
                    links += 1;
                    self.check_owner(&status, path, &part.name)?;
                    let target = read_link(&found, path)?;
                    if links > LINKS_MAX {
                        return Err(Fault::data(format!("{path} has too many links on its way")).into());
                    }
                    if target.starts_with('/') {
                        stack.truncate(0);
                        names.clear();
                        stack.push(self.root.try_clone().context("keeping /")?);
                    }
                    for part in parts(&target, Origin::Link).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                FileType::Directory => {
                    self.check(&status, path, &part.name)?;
                    stack.push(found);
                    names.push(part.name);
                }
                _ if !rest.is_empty() => return Err(not_a(path, "directory")),
                kind => {
                    let opened = self.finish_file(here.as_fd(), &part.name, (found, status, kind), path, wanted)?;
                    names.push(part.name);
                    return Ok(Some(Opened { real: format!("/{}", names.join("/")), ..opened }));
                }
            }
        }
    }

    fn finish_directory(&self, stack: &[OwnedFd], path: &str, wanted: Wanted) -> Result<Option<Opened>> {
        if wanted != Wanted::Directory {
            return Err(not_a(path, "regular file"));
        }
        let keep = |at: usize| stack.get(at).map(OwnedFd::try_clone).transpose().context("keeping a directory");
        let last = stack.len().saturating_sub(1);
        let (Some(fd), Some(parent)) = (keep(last)?, keep(last.saturating_sub(1))?) else {
            anyhow::bail!("{path} leads nowhere")
        };
        let identity = identity(&stat(fd.as_fd(), path)?);
        Ok(Some(Opened { fd, parent, identity, real: path.to_owned() }))
    }

    fn finish_file(
        &self,
        parent: BorrowedFd<'_>,
        name: &str,
        (found, status, kind): (OwnedFd, Stat, FileType),
        path: &str,
        wanted: Wanted,
    ) -> Result<Opened> {
        match (wanted, kind) {
            (Wanted::Directory, _) => return Err(not_a(path, "directory")),
            (Wanted::File, FileType::RegularFile) => {}
            (Wanted::File, _) => return Err(not_a(path, "regular file")),
        }
        self.check(&status, path, name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name, flags, Mode::empty()).with_context(|| format!("opening {path}"))?;
        let opened = stat(fd.as_fd(), path)?;
        drop(found);
        if (opened.st_dev, opened.st_ino) != (status.st_dev, status.st_ino) {
            return Err(Fault::data(format!("{path} was replaced while it was opened")).into());
        }
        let parent = parent.try_clone_to_owned().context("keeping a directory")?;
        Ok(Opened { fd, parent, identity: identity(&opened), real: path.to_owned() })
    }

    fn check(&self, status: &Stat, path: &str, part: &str) -> Result<()> {
        self.check_owner(status, path, part)?;
        if status.st_mode & WRITABLE_BY_OTHERS != 0 {
            let mode = status.st_mode & 0o7777;
            return Err(Fault::data(format!(
                "{path} can be changed by others than root: {} has mode {mode:04o}",
                named(path, part)
            ))
            .into());
        }
        Ok(())
    }

    fn check_owner(&self, status: &Stat, path: &str, part: &str) -> Result<()> {
        if status.st_uid != self.owner {
            return Err(Fault::data(format!(
                "{path} can be changed by others than root: {} belongs to uid {}",
                named(path, part),
                status.st_uid
            ))
            .into());
        }
        Ok(())
    }
}

/// What a file is, to tell it from another one.
pub fn identity(status: &Stat) -> FileIdentity {
    FileIdentity {
        device: status.st_dev,
        inode: status.st_ino,
        size: u64::try_from(status.st_size).unwrap_or_default(),
        modified: i128::from(status.st_mtime) * 1_000_000_000 + i128::from(status.st_mtime_nsec),
    }
}

/// What is at a path now, links followed; `None` if nothing is.
pub fn identity_at(path: &str) -> Result<Option<FileIdentity>> {
    match rustix::fs::statat(rustix::fs::CWD, path, AtFlags::empty()) {
        Ok(status) => Ok(Some(identity(&status))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {path}")),
    }
}

fn named<'a>(path: &str, part: &'a str) -> &'a str {
    if path.ends_with(&format!("/{part}")) { "it" } else { part }
}

fn not_a(path: &str, what: &str) -> anyhow::Error {
    Fault::data(format!("{path} is not a {what}")).into()
}

fn stat(fd: BorrowedFd<'_>, path: &str) -> Result<Stat> {
    rustix::fs::fstat(fd).with_context(|| format!("looking at {path}"))
}

fn read_link(link: &OwnedFd, path: &str) -> Result<String> {
    let target = rustix::fs::readlinkat(link, "", Vec::new()).with_context(|| format!("reading the link {path}"))?;
    target.into_string().ok().with_context(|| format!("{path} is a link to a name that is not text"))
}

fn directory_flags() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Typed,
    Link,
}

fn parts(path: &str, origin: Origin) -> VecDeque<Part> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .map(|part| Part { name: part.to_owned(), from_link: origin == Origin::Link })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    struct Place {
        dir: tempfile::TempDir,
        trusted: Trusted,
    }

    /// A root of our own: `/good/image` is fine.
    fn place() -> Place {
        let dir = tempfile::tempdir().expect("temporary directory");
        let owner = rustix::process::getuid().as_raw();
        set_mode(dir.path(), 0o755);
        std::fs::create_dir(dir.path().join("good")).expect("directory");
        set_mode(&dir.path().join("good"), 0o755);
        std::fs::write(dir.path().join("good/image"), "data").expect("file");
        set_mode(&dir.path().join("good/image"), 0o644);
        let root = rustix::fs::open(dir.path(), directory_flags(), Mode::empty()).expect("open");
        Place { trusted: Trusted::below(root, owner), dir }
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    }

    impl Place {
        fn open(&self, path: &str) -> Result<Option<Opened>> {
            self.trusted.open(&AbsPath::parse(path).expect("good path"), Wanted::File)
        }

        fn refused(&self, path: &str) -> String {
            format!("{:#}", self.open(path).map(|_| ()).expect_err(path))
        }

        fn at(&self, path: &str) -> std::path::PathBuf {
            self.dir.path().join(path)
        }
    }

    #[test]
    fn a_good_file_is_opened_and_an_absent_one_is_none() {
        let place = place();
        let opened = place.open("/good/image").expect("good").expect("there");
        assert_eq!(opened.identity.size, 4);
        assert!(place.trusted.open_beside(&opened, "image", "x").expect("good").is_some());
        for absent in ["/good/other", "/none/image"] {
            assert!(place.open(absent).expect("nothing wrong").is_none(), "{absent}");
        }
    }

    #[test]
    fn what_others_could_change_is_refused_wherever_it_is() {
        let place = place();
        set_mode(&place.at("good/image"), 0o664);
        assert_eq!(place.refused("/good/image"), "/good/image can be changed by others than root: it has mode 0664");
        set_mode(&place.at("good/image"), 0o644);
        set_mode(&place.at("good"), 0o1777);
        assert_eq!(place.refused("/good/image"), "/good/image can be changed by others than root: good has mode 1777");
        assert!(place.open("/good/none").is_err());
        set_mode(&place.at("good"), 0o755);
        let mut stranger = place;
        stranger.trusted.owner += 1;
        assert!(stranger.refused("/good/image").contains("belongs to uid"));
    }

    #[test]
    fn links_are_followed_within_the_root_and_their_parents_checked() {
        let place = place();
        std::fs::create_dir(place.at("links")).expect("directory");
        set_mode(&place.at("links"), 0o755);
        for (link, target) in [
            ("links/absolute", "/good/image"),
            ("links/relative", "../good/./image"),
            ("links/above", "../../../good/image"),
            ("links/chain", "absolute"),
            ("links/nothing", "/good/none"),
            ("links/round", "round"),
            ("links/dir", "/good"),
        ] {
            symlink(target, place.at(link)).expect("link");
        }
        for good in ["/links/absolute", "/links/relative", "/links/above", "/links/chain", "/links/dir/image"] {
            assert!(place.open(good).expect(good).is_some(), "{good}");
        }
        let real = |path| place.open(path).expect("good").expect("there").real;
        assert_eq!(real("/links/chain"), "/good/image");
        assert_eq!(real("/links/above"), "/good/image");
        assert_eq!(real("/links/dir/image"), "/good/image");
        assert!(place.open("/links/dir/none").expect("nothing wrong").is_none());
        assert!(place.refused("/links/nothing").ends_with("is a link to nothing"));
        assert!(place.refused("/links/round").contains("too many links"));
        set_mode(&place.at("good"), 0o777);
        assert!(place.refused("/links/absolute").contains("good has mode 0777"));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let place = place();
        rustix::fs::mknodat(rustix::fs::CWD, place.at("good/fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .expect("fifo");
        assert!(place.refused("/good").ends_with("is not a regular file"));
        assert!(place.refused("/good/fifo").ends_with("is not a regular file"));
        assert!(place.refused("/good/image/x").ends_with("is not a directory"));
        let opened = place.trusted.open(&AbsPath::parse("/good").expect("good path"), Wanted::Directory);
        assert!(opened.expect("a directory").is_some());
    }
}
