//! The one part that touches the machine: files, devices, mounts, processes, the journal.
//! It decides nothing: what to do comes in as values.
//! Rules come from the man pages and kernel documents named in each file.
#![allow(clippy::disallowed_methods, reason = "this is the part that may")]

pub mod alone;
pub mod attach;
pub mod below_root;
pub mod boot;
pub mod certificates;
pub mod check;
pub mod clock;
pub mod config_files;
pub mod conversion;
pub mod convert;
pub mod corrupted;
pub mod detach;
pub mod device_mapper;
pub mod directory_layer;
pub mod file_content;
pub mod files;
pub mod generator;
pub mod image_files;
pub mod image_look;
pub mod image_mount;
pub mod image_output;
pub mod inject;
pub mod injected;
pub mod interruption;
pub mod ioctl;
pub mod journal;
pub mod journal_datagram;
pub mod kmsg;
pub mod live_marks;
pub mod loop_device;
pub mod mark_store;
pub mod mounts;
mod nameless;
pub mod notify;
pub mod overlay;
pub mod overlay_data;
pub mod overlay_dirs;
pub mod place;
pub mod points;
pub mod probe;
mod process_status;
pub mod progress;
pub mod publish;
pub mod request;
pub mod signature;
pub mod source;
pub mod store;
pub mod stores;
pub mod systemctl;
pub mod terminal;
pub mod tree_check;
pub mod trusted;
pub mod unit_dir;
