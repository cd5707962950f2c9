//! What a conversion does, as a list, shown by `--dry-run` and then done.
//! It does nothing itself; the layers are those that the opened source has.

use super::spec::{Doing, Spec};
use crate::merge::{Boot, Existing, MountPoints};
use std::fmt;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A layer is read, the topmost first.
    Read(String),
    /// A file goes into the image.
    Inject {
        /// Where from.
        source: String,
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
    /// Nothing: it is there, made by the same recipe.
    Keep(String),
}

/// The steps for a source with these layers, the topmost first.
pub fn steps(spec: &Spec, layers: &[String]) -> Vec<Step> {
    let inject = spec.inject.iter().map(|file| Step::Inject {
        source: file.source.display().to_string(),
        target: file.target.shown(),
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
    inject.chain(layers.iter().cloned().map(Step::Read)).chain(boot).chain(points).chain(write).collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(layer) => write!(f, "read {layer}"),
            Self::Inject { source, target, existing: Existing::Refused } => write!(f, "put {source} at {target}"),
            Self::Inject { source, target, existing: Existing::Replaced } => {
                write!(f, "put {source} at {target}, in the place of what is there")
            }
            Self::Keep(name) => write!(f, "keep {name}.raw, which was made from the same"),
            Self::Boot => f.write_str("make sure of an init, and empty /etc/machine-id and /etc/resolv.conf"),
            Self::MountPoints => f.write_str("add the mount points that are missing"),
            Self::Write { name, format } => {
                write!(f, "write {name}.raw ({format}), {name}.verity, {name}.roothash and {name}.manifest.json")
            }
        }
    }
}
