//! Layers: archives and directories that say what a root file system has, and what it has no more.
//! Nothing here knows images or merges anything: entries come out in the order in which they stand.
//! Rules come from the OCI image layer specification and the documents named in each file.

pub mod acl;
pub mod archive;
pub mod compression;
pub mod digest;
pub mod entry;
pub mod fault;
pub mod header;
pub mod input;
pub mod limits;
pub mod number;
pub mod overlay;
pub mod path;
pub mod pax;
pub mod pipeline;
pub mod sparse;
pub mod stream;
pub mod tar;
pub mod tar_entry;
pub mod xattr;
