//! What lies over an app's image (`[overlay]`).
//! It mounts nothing and names no directory of ours.
//! The keys are those of veneer.app(5).

use crate::path::AbsPath;
use crate::size::Size;

/// What lies over the image (`[overlay]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// Where writes go.
    pub mode: OverlayMode,
    /// Read-only layers over the image, topmost first.
    pub layers: Vec<AbsPath>,
    /// Directories given to the app's user in the upper layer; empty unless there is one.
    pub writable: Vec<AbsPath>,
}

/// Where writes to an app's root go (`overlay.mode`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OverlayMode {
    /// Nowhere: the root is read-only.
    #[default]
    None,
    /// To a tmpfs that lives as long as the chain of mounts.
    Volatile {
        /// Its limit; the kernel's own (half the memory) if not given.
        size: Option<Size>,
    },
    /// To the app's directory in `/var/lib/veneer/overlays`.
    Persistent,
}
