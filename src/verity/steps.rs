//! What `attach` does once everything it needs is open and checked: a list, shown by `--dry-run`, then done.
//! It does nothing itself; `host::attach` does each step, and undoes the earlier ones if one does not work.
//! The order matters: the link to the device comes last, for what mounts it waits for nothing else.

use crate::app::FileSystem;
use crate::root_hash::RootHash;
use std::fmt;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The app's directory below `/run/veneer/apps`.
    Directory(String),
    /// The layer of mount points, and how many are in it.
    Points(String, usize),
    /// The image file under a loop device.
    ImageLoop(String),
    /// The hash file under a loop device.
    TreeLoop(String),
    /// The verity device over both.
    Verity {
        /// Its device-mapper name.
        name: String,
        /// The root hash it is opened with.
        root: RootHash,
    },
    /// The superblock and root directory read through the device.
    Probe(FileSystem),
    /// The mark that the app is live.
    Mark(String),
    /// A link to another path.
    Link {
        /// Where the link is.
        at: String,
        /// Where it leads.
        to: String,
    },
    /// The link to the device, whose number is not known before.
    DeviceLink(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "make the directory {path}"),
            Self::Points(path, count) => write!(f, "make {count} mount points in {path}"),
            Self::ImageLoop(path) => write!(f, "put {path} under a read-only loop device"),
            Self::TreeLoop(path) => write!(f, "put {path} under a read-only loop device"),
            Self::Verity { name, root } => write!(f, "open the verity device {name} with root hash {root}"),
            Self::Probe(kind) => write!(f, "read the superblock and the root directory as {}", kind.name()),
            Self::Mark(path) => write!(f, "write the mark {path}"),
            Self::Link { at, to } => write!(f, "link {at} to {to}"),
            Self::DeviceLink(at) => write!(f, "link {at} to the device"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_says_what_it_does() {
        let root = RootHash::parse(&"ab".repeat(32)).expect("good hash");
        let said = Step::Verity { name: "veneer-a-00000001".into(), root: root.clone() }.to_string();
        assert_eq!(said, format!("open the verity device veneer-a-00000001 with root hash {root}"));
        assert_eq!(Step::DeviceLink("/d".into()).to_string(), "link /d to the device");
    }
}
