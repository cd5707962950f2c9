//! The store of images as a value: what is in it, what each thing is for, and what may go.
//! It touches no file; `host::store` reads the store into [`Store`], and does what is decided here.
//! The layout is docs/store.md's.
//!
//! The road of prune: names in a directory -> [`listing`] -> [`Store`].

pub mod listing;
pub mod name;
pub mod record;
pub mod state;
pub mod versions;

pub use record::{Pin, Record};
pub use state::{Blob, Store, StoredFile, StoredImage};
pub use versions::{Version, Versions};
