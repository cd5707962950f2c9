//! What a conversion does, as a list, shown by `--dry-run` and then done.
//! It does nothing itself; the layers are those that the opened source has.

use super::spec::{Beside, Doing, Spec};
use crate::inject::What;
use crate::layer::fault::shown;
use crate::merge::{Boot, Existing, MountPoints};
use std::fmt;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A layer is read, the topmost first.
    Read(String),
    /// A file, a link or a directory goes into the image.
    Inject {
        /// What.
        what: String,
        /// Where to.
        target: String,
        /// Whether it may take another's place.
        existing: Existing,
    },
    /// What a virtual machine needs to start is made.
    Boot,
    /// Mount points that are missing are added.
    MountPoints,
    /// The image is written with its hash tree.
    Write {
        /// Its name without an ending.
        name: String,
        /// Its file system.
        format: &'static str,
    },
    /// What was written is compressed.
    Compress(String),
    /// The root hash is signed with a key.
    Sign(String),
    /// A disk image is made of it.
    Disk(String),
    /// Nothing: it is there, made by the same recipe.
    Keep(String),
}

/// The steps for a source with these layers, the topmost first.
pub fn steps(spec: &Spec, layers: &[String]) -> Vec<Step> {
    let inject = spec.inject.iter().map(|asked| Step::Inject {
        what: match &asked.what {
            What::File(source) => source.display().to_string(),
            What::Link(to) => format!("a link to {}", shown(to)),
            What::Directory(_) => "a directory".to_owned(),
        },
        target: asked.target.shown(),
        existing: spec.existing,
    });
    let points = (spec.mount_points == MountPoints::Added).then_some(Step::MountPoints);
    let boot = (spec.boot == Boot::Made).then_some(Step::Boot);
    let write = match &spec.doing {
        Doing::Checking | Doing::Showing(None) => None,
        Doing::Writing(name) | Doing::Showing(Some(name)) => {
            Some(Step::Write { name: name.to_string(), format: spec.form.name() })
        }
    };
    let compress = spec.compression.as_ref().filter(|_| write.is_some()).map(|how| Step::Compress(how.to_string()));
    let before = inject.chain(layers.iter().cloned().map(Step::Read)).chain(boot).chain(points);
    before.chain(compress).chain(write).chain(besides(&spec.beside)).collect()
}

/// What is made of an image that is there, whoever made it.
pub fn besides(beside: &Beside) -> impl Iterator<Item = Step> + '_ {
    let sign = beside.signer.iter().map(|(key, _)| Step::Sign(key.display().to_string()));
    sign.chain(beside.disk.iter().map(|(disk, _)| Step::Disk(disk.display().to_string())))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(layer) => write!(f, "read {layer}"),
            Self::Inject { what, target, existing: Existing::Refused } => write!(f, "put {what} at {target}"),
            Self::Inject { what, target, existing: Existing::Replaced } => {
                write!(f, "put {what} at {target}, in the place of what is there")
            }
            Self::Keep(name) => write!(f, "keep {name}.raw, which was made from the same"),
            Self::Compress(how) => write!(f, "compress it with mkfs.erofs, {how}"),
            Self::Sign(key) => write!(f, "sign its root hash with {key}"),
            Self::Disk(disk) => write!(f, "write the disk image {disk}"),
            Self::Boot => f.write_str("make sure of an init, and empty /etc/machine-id and /etc/resolv.conf"),
            Self::MountPoints => f.write_str("add the mount points that are missing"),
            Self::Write { name, format } => {
                write!(f, "write {name}.raw ({format}), {name}.verity, {name}.roothash and {name}.manifest.json")
            }
        }
    }
}
