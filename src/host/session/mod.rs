//! Sessions made and removed: what `veneer-clone` does.
//! What is asked for and what is decided is `crate::session`'s; no other module of the host makes or removes a session.
//! Everything of a session can be found from its name, at any moment of its making: that is how it is removed.

pub mod base;
pub mod claim;
pub mod copy_file;
pub mod copy_tree;
pub mod create;
pub mod data;
pub mod delete;
pub mod ground;
pub mod grow;
pub mod marks;
pub mod overlay;
pub mod reap;
pub mod remove;
mod root;
pub mod sharing;
pub mod users;
