//! Sessions: writable copies of an app's image or root that live as long as their unit.
//! Pure: command lines, marks, and what is to be reaped; `host::session` does it.
//! The contract is docs/sessions.md.

pub mod mark;
pub mod paths;
pub mod reap;
pub mod spec;
pub mod steps;

pub use mark::{How, Mark, Method};
pub use paths::SessionPaths;
pub use spec::{Create, Source};
