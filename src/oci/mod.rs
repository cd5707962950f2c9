//! Container images in all the forms in which they lie about: from a source to a list of layers.
//! Nothing here opens a file (`host` does) or reads what is in a layer ([`crate::layer`] does).
//! Rules come from the OCI image specification and the documents named in each file.

pub mod archive;
pub mod bolt;
pub mod choose;
pub mod containerd;
pub mod created;
pub mod document;
pub mod identity;
pub mod image;
pub mod layer;
pub mod overlay2;
pub mod platform;
pub mod source;
pub mod store;
