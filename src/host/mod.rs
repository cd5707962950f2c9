//! The one part that touches the machine: files, devices, mounts, processes, the journal.
//! It decides nothing: what to do comes in as values.
//! Rules come from the man pages and kernel documents named in each file.

pub mod config_files;
