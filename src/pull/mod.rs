//! What `veneer-pull` is asked for, which tools fetch it with which words, and what their complaints mean.
//! Nothing here runs a tool or writes the store: `host::pull` does.
//! The tools are skopeo(1) and buildah(1); how an image gets from there into the store is docs/pull.md's.

pub mod blobs;
pub mod fault;
pub mod spec;
pub mod words;

pub use spec::{Arguments, Spec, When};
