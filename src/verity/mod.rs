//! Verified images: what is decided about them, without touching one.
//! It opens no file and calls no kernel: `host` brings the bytes in and carries the decisions out.
//! Rules: DESIGN of verity in docs/verity.md; dm-verity's format is the kernel's and cryptsetup's.

pub mod build;
pub mod corruption;
pub mod dm_message;
pub mod fault;
pub mod names;
pub mod scrub;
pub mod spec;
pub mod stale;
pub mod steps;
pub mod superblock;
pub mod table;
pub mod tree;

pub use fault::Fault;
pub use spec::{Run, Spec};
pub use superblock::Superblock;
