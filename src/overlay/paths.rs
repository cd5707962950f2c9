//! Where an overlay's record, data and mounts are.
//! The unit of an overlay names only what stays the same over its versions: `current` is a link to the one in use.
//! The map is in docs/overlays.md, "What is where".

use super::OverlayName;
use super::record::Lifetime;
use crate::layout::{HOST_OVERLAYS, HOST_OVERLAYS_LIVE};

/// The paths of one overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayPaths {
    /// Its mounts, in this boot: `/run/veneer/overlays/NAME`.
    pub live: String,
    /// Its record and data: the same for a transient overlay, `/var/lib/veneer/host-overlays/NAME` for a persistent one.
    pub data: String,
}

impl OverlayPaths {
    /// The paths of this overlay.
    pub fn new(name: &OverlayName, lifetime: Lifetime) -> Self {
        let live = format!("{HOST_OVERLAYS_LIVE}/{name}");
        let data = match lifetime {
            Lifetime::Transient => live.clone(),
            Lifetime::Persistent => format!("{HOST_OVERLAYS}/{name}"),
        };
        Self { live, data }
    }

    /// The record.
    pub fn record(&self) -> String {
        format!("{}/record.json", self.data)
    }

    /// The directory of the view of what lies beneath: only root comes through it, for the directories that the target
    /// is in may let nobody else through either.
    pub fn base_directory(&self) -> String {
        format!("{}/base", self.live)
    }

    /// What lies beneath the overlay, kept reachable for root while the overlay hides it. The name is short: the kernel
    /// takes 255 bytes of `lowerdir=` (fsconfig(2)), which three layers of the longest name of an overlay fill.
    pub fn base(&self) -> String {
        format!("{}/base/v", self.live)
    }

    /// A link to the version in use.
    pub fn current(&self) -> String {
        format!("{}/current", self.live)
    }

    /// The layers of a version, in this boot.
    pub fn version(&self, number: u32) -> VersionPaths {
        VersionPaths(format!("{}/v{number}", self.live))
    }

    /// The layers of the version in use, by the link.
    pub fn in_use(&self) -> VersionPaths {
        VersionPaths(self.current())
    }

    /// The copy of a source: a directory that holds `tree`, or `file`.
    pub fn source(&self, number: u32) -> String {
        format!("{}/source-{number}", self.data)
    }

    /// The image that a source is, when it is one, without its ending.
    pub fn source_image(&self, number: u32) -> String {
        format!("{}/source-{number}", self.data)
    }

    /// The writable side of a version: a directory (transient, a tmpfs is mounted on it).
    pub fn writable(&self, version: u32) -> String {
        format!("{}/written-{version}", self.data)
    }

    /// The file system image that a persistent writable side is.
    pub fn writable_image(&self, version: u32) -> String {
        format!("{}/written-{version}.ext4", self.data)
    }

    /// Why a persistent overlay is not mounted although it should be.
    pub fn held(&self) -> String {
        format!("{}/held", self.live)
    }
}

/// The layers of one version, below `/run/veneer/overlays/NAME/vN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionPaths(String);

impl VersionPaths {
    /// The directory.
    pub fn dir(&self) -> &str {
        &self.0
    }

    /// An empty directory that gives the merged root its owner and mode: the target's own.
    pub fn top(&self) -> String {
        format!("{}/top", self.0)
    }

    /// The copy of the source: a link, or where its image is mounted.
    pub fn source(&self) -> String {
        format!("{}/source", self.0)
    }

    /// Where the writable side is mounted; it holds `upper` and `work`, or `file`.
    pub fn written(&self) -> String {
        format!("{}/written", self.0)
    }

    /// The upper layer.
    pub fn upper(&self) -> String {
        format!("{}/written/upper", self.0)
    }

    /// The kernel's scratch directory.
    pub fn work(&self) -> String {
        format!("{}/written/work", self.0)
    }
}
