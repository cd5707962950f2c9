//! Overlays over the running host, done: copies, layers, mounts, records.
//! It decides nothing that `crate::overlay` can decide from values.
//! Everything that changes an overlay holds one lock for all of them ([`registry::Registry::lock`]).

pub mod act;
pub mod apply;
pub mod base;
pub mod busy;
pub mod commit;
pub mod copy;
pub mod copy_meta;
pub mod declare;
pub mod diff;
pub mod export;
pub mod import;
pub mod layers;
pub mod loops;
pub mod measure;
pub mod merged;
pub mod mounting;
pub mod owner;
mod prepare;
pub mod recover;
pub mod registry;
pub mod remove;
pub mod service;
pub mod target;
pub mod units;
pub mod version;
