//! The one part that touches the machine: files, devices, mounts, processes, the journal.
//! It decides nothing: what to do comes in as values.
//! Rules come from the man pages and kernel documents named in each file.

pub mod below_root;
pub mod boot;
pub mod config_files;
pub mod generator;
pub mod kmsg;
pub mod live_marks;
pub mod systemctl;
pub mod terminal;
pub mod unit_dir;
