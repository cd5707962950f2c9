//! The store on the disk: read into a value, locked, and changed a file at a time.
//! It decides nothing: what is in use and what may go is `crate::store`'s.
//! The layout, and who may lock what, is docs/store.md's.

pub mod dir;
pub mod lock;
pub mod notes;
pub mod read;
pub mod remove;
pub mod roots;

pub use dir::StoreDir;
pub use lock::{Hold, StoreLock};
pub use read::{Reading, check_access, read, read_sizes, read_versions};
