//! Images of root file systems: the tree that goes in, the writers that lay it out, and what stands beside the image.
//! It knows no container formats: those are [`crate::oci`]'s and [`crate::layer`]'s.

pub mod blocks;
pub mod bytes;
pub mod directories;
pub mod disk;
pub mod erofs;
pub mod ext4;
pub mod identity;
pub mod limits;
pub mod manifest;
pub mod partition;
pub mod publish;
pub mod read;
pub mod signature_partition;
pub mod tar;
pub mod tree;
