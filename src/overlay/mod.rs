//! Overlays over the running host: what is asked for, what is recorded, and the units that come of it.
//! Pure: it mounts, copies and asks nothing; `host::overlay` does, from what is decided here.
//! The contract is docs/overlays.md; what overlayfs does with layers is the kernel's Documentation/filesystems/overlayfs.rst.

pub mod change;
pub mod declared;
pub mod exported;
pub mod guard;
pub mod mount_table;
pub mod name;
pub mod paths;
pub mod record;
pub mod recovery;
pub mod spec;
pub mod target;
pub mod units;

pub use guard::{Guard, Guards};
pub use name::OverlayName;
pub use paths::OverlayPaths;
pub use record::Record;
pub use spec::Spec;
