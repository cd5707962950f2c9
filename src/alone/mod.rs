//! `veneer overlay run`: an overlay that only one command sees, decided as a list of steps.
//! It mounts nothing (`host::alone` does) and knows nothing of overlays over the host.
//! Rules: user_namespaces(7), mount_namespaces(7), Documentation/filesystems/overlayfs.rst ("userxattr").

mod options;
pub mod refusal;

pub use options::overlay_options;

use crate::size::Size;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where the writable side may be mounted for a moment: directories that every system has.
const MOMENTARY: [&str; 6] = ["/mnt", "/media", "/tmp", "/run", "/home", "/var"];
/// The upper directory and the work directory of a writable side.
pub const UPPER: &str = "upper";
/// Overlayfs's own directory beside it.
pub const WORK: &str = "work";

/// What is laid over what, both without links on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alone {
    /// The directory or the file that is laid over.
    pub source: Source,
    /// What it is laid over.
    pub target: PathBuf,
    /// What becomes of what the command writes.
    pub writes: Writes,
    /// Who asks.
    pub privilege: Privilege,
}

/// What is laid over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory, merged with the target.
    Directory(PathBuf),
    /// A file, in the place of another.
    File(PathBuf),
    /// Layers of an overlay over the host, the topmost first; none if it lies over the target already.
    Layers(Vec<PathBuf>),
}

/// What becomes of what is written to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writes {
    /// It is kept in memory, at most so much, and gone with the last process.
    Memory(Option<Size>),
    /// It is kept in a directory, and there again next time.
    Kept(PathBuf),
    /// Nothing can be written.
    Refused,
}

/// Whether a user namespace is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// An ordinary user of these ids: only in a user namespace may they mount.
    User {
        /// The user's id.
        uid: u32,
        /// The group's.
        gid: u32,
    },
    /// Root: a mount namespace is enough.
    Root,
}

/// One thing to do; the command follows the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Leave the host's mounts behind.
    Unshare(Privilege),
    /// Make the directories of a writable side, and keep others from using them meanwhile.
    Keep(PathBuf),
    /// A tmpfs for the writable side, at a place where it is only for a moment.
    Memory {
        /// Where.
        at: PathBuf,
        /// How large.
        size: Option<Size>,
    },
    /// The overlay itself.
    Overlay {
        /// Where.
        target: PathBuf,
        /// Its options, escaped.
        options: OsString,
        /// Whether it can be written to.
        access: Access,
    },
    /// The tmpfs is hidden; the overlay holds it.
    Forget(PathBuf),
    /// A file in the place of another, read-only.
    Bind {
        /// The file.
        source: PathBuf,
        /// Its place.
        target: PathBuf,
    },
}

/// Whether a mount can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It can.
    ReadWrite,
    /// It cannot.
    ReadOnly,
}

impl Alone {
    /// What has to be done, in order; the error is a sentence.
    pub fn steps(&self) -> Result<Vec<Step>, String> {
        let mut steps = vec![Step::Unshare(self.privilege)];
        match &self.source {
            Source::File(source) => steps.push(Step::Bind { source: source.clone(), target: self.target.clone() }),
            Source::Directory(source) => self.overlay(std::slice::from_ref(source), &mut steps)?,
            // An overlay that nobody writes to has two layers at least (overlayfs.rst, "Multiple lower layers").
            Source::Layers(layers) if layers.is_empty() && self.writes == Writes::Refused => {
                steps.push(Step::Bind { source: self.target.clone(), target: self.target.clone() });
            }
            Source::Layers(layers) => self.overlay(layers, &mut steps)?,
        }
        Ok(steps)
    }

    fn overlay(&self, layers: &[PathBuf], steps: &mut Vec<Step>) -> Result<(), String> {
        let lower: Vec<&Path> = layers.iter().chain([&self.target]).map(PathBuf::as_path).collect();
        let (upper, momentary) = match &self.writes {
            Writes::Refused => (None, None),
            Writes::Kept(directory) => {
                steps.push(Step::Keep(directory.clone()));
                (Some(directory.clone()), None)
            }
            Writes::Memory(size) => {
                let at = self.momentary(&lower)?;
                steps.push(Step::Memory { at: at.clone(), size: *size });
                (Some(at.clone()), Some(at))
            }
        };
        let access = if upper.is_some() { Access::ReadWrite } else { Access::ReadOnly };
        let options = overlay_options(&lower, upper.as_deref(), self.privilege)?;
        steps.push(Step::Overlay { target: self.target.clone(), options, access });
        steps.extend(momentary.map(Step::Forget));
        Ok(())
    }

    /// A directory that hides neither side when something is mounted over it.
    fn momentary(&self, layers: &[&Path]) -> Result<PathBuf, String> {
        let free = |at: &str| layers.iter().all(|layer| !layer.starts_with(at));
        let found = MOMENTARY.iter().find(|at| free(at)).map(PathBuf::from);
        found.ok_or_else(|| "there is no directory to mount the writable side over for a moment".into())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unshare(Privilege::Root) => f.write_str("make a mount namespace"),
            Self::Unshare(Privilege::User { uid, gid }) => {
                write!(f, "make a user namespace with user {uid} and group {gid}, and a mount namespace in it")
            }
            Self::Keep(directory) => {
                write!(f, "make {}/{UPPER} and {WORK}, if they are not there", directory.display())
            }
            Self::Memory { at, size: None } => write!(f, "mount a tmpfs over {} for a moment", at.display()),
            Self::Memory { at, size: Some(size) } => {
                write!(f, "mount a tmpfs of {size} over {} for a moment", at.display())
            }
            Self::Overlay { target, options, access } => {
                let access = if *access == Access::ReadOnly { "ro," } else { "" };
                write!(f, "mount an overlay over {}: {access}{}", target.display(), options.to_string_lossy())
            }
            Self::Forget(at) => write!(f, "detach the tmpfs from {}", at.display()),
            Self::Bind { source, target } => {
                write!(f, "bind {} over {}, read-only", source.display(), target.display())
            }
        }
    }
}

/// The submounts strictly below a target, from the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
///
/// The kernel lets nobody without privileges lay an overlay over them: they would be hidden, and are locked.
pub fn submounts(mountinfo: &str, target: &Path) -> Vec<PathBuf> {
    let points = crate::mountinfo::entries(mountinfo).map(|mount| PathBuf::from(mount.place));
    let mut below: Vec<PathBuf> = points.filter(|point| point != target && point.starts_with(target)).collect();
    below.sort_unstable();
    below.dedup();
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(writes: Writes) -> Alone {
        Alone {
            source: Source::Directory("/mnt/mine".into()),
            target: "/usr/share/doc".into(),
            writes,
            privilege: Privilege::User { uid: 1000, gid: 100 },
        }
    }

    fn said(alone: &Alone) -> Vec<String> {
        alone.steps().expect("steps").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn writes_go_to_memory_that_is_in_nobodys_way() {
        assert_eq!(
            said(&alone(Writes::Memory(Size::parse("64M").ok()))),
            [
                "make a user namespace with user 1000 and group 100, and a mount namespace in it",
                "mount a tmpfs of 64m over /media for a moment",
                "mount an overlay over /usr/share/doc: \
                 lowerdir=/mnt/mine:/usr/share/doc,upperdir=/media/upper,workdir=/media/work,userxattr",
                "detach the tmpfs from /media",
            ]
        );
    }

    #[test]
    fn what_is_kept_and_what_is_read_only_need_no_memory() {
        let kept = said(&alone(Writes::Kept("/home/a/kept".into())));
        assert_eq!(kept[1], "make /home/a/kept/upper and work, if they are not there");
        assert_eq!(kept.len(), 3);
        let refused = said(&alone(Writes::Refused));
        assert_eq!(refused[1], "mount an overlay over /usr/share/doc: ro,lowerdir=/mnt/mine:/usr/share/doc,userxattr");
    }

    #[test]
    fn a_file_takes_the_place_of_a_file() {
        let alone = Alone { source: Source::File("/home/a/issue".into()), ..alone(Writes::Refused) };
        assert_eq!(said(&alone)[1], "bind /home/a/issue over /usr/share/doc, read-only");
    }

    #[test]
    fn an_overlay_over_the_host_is_a_layer_or_lies_there_already() {
        let of = |layers: &[&str], writes| {
            let source = Source::Layers(layers.iter().map(PathBuf::from).collect());
            said(&Alone { source, privilege: Privilege::Root, ..alone(writes) })
        };
        let active = of(&[], Writes::Memory(None));
        let options = "lowerdir=/usr/share/doc,upperdir=/mnt/upper,workdir=/mnt/work";
        assert_eq!(active[2], format!("mount an overlay over /usr/share/doc: {options}"));
        assert_eq!(of(&[], Writes::Refused)[1], "bind /usr/share/doc over /usr/share/doc, read-only");
        let stopped = of(&["/run/a/upper", "/run/a/tree"], Writes::Refused);
        assert_eq!(
            stopped[1],
            "mount an overlay over /usr/share/doc: ro,lowerdir=/run/a/upper:/run/a/tree:/usr/share/doc"
        );
    }

    #[test]
    fn mounts_below_a_target_are_found_whatever_their_names() {
        let text = "1 0 8:1 / / rw - ext4 x rw\n2 1 8:1 / /usr rw - ext4 x rw\n3 2 8:1 / /usr/a\\040b rw - ext4 x rw\n\
                    4 1 8:1 / /usr2 rw - ext4 x rw\n";
        assert_eq!(submounts(text, Path::new("/usr")), [PathBuf::from("/usr/a b")]);
        assert_eq!(submounts(text, Path::new("/usr/a b")), Vec::<PathBuf>::new());
    }
}
