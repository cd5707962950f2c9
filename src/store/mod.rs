//! The store of images as a value: what is in it, what each thing is for, and what may go.
//! It touches no file; `host::store` reads the store into [`Store`], and does what is decided here.
//! The layout is docs/store.md's.
//!
//! The road of prune: names in directories -> [`listing`] -> [`Store`]; claims from all over the machine
//! -> [`in_use`]; both -> [`prune::decide`] -> a list that is shown, and then done.

pub mod age;
pub mod artifact;
pub mod claims;
pub mod in_use;
pub mod listing;
pub mod name;
pub mod prune;
pub mod record;
pub mod spec;
pub mod state;
pub mod verdict;
pub mod verdict_text;
pub mod versions;

pub use record::{Pin, Record};
pub use state::{Blob, Store, StoredFile, StoredImage};
pub use versions::{Version, Versions};
