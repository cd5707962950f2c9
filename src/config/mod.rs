//! What is typed: files by precedence, merged, read into the checked model.
//! Nothing here reads a disk (`host::config_files` does), logs, or knows units.
//! The format is veneer.app(5) and veneer.toml(5); precedence and masks follow systemd.unit(5).
//!
//! The road: `host::config_files::read` -> [`ConfigText`] -> [`Host::load`] once, then [`load_app`] per app,
//! in any order and on any thread; [`cross_check`] looks at all of them together, [`origins`] at where values come from.

mod app;
mod cross;
mod directives;
mod host_overlay;
mod image;
mod inject;
pub mod keys;
mod known_directives;
mod listen;
mod mentions;
mod merge;
mod node;
mod overlay;
mod overlay_rules;
mod prune;
mod read;
mod report;
mod service;
mod session;
mod session_directory;
mod settings;
mod template;
mod text;

pub use app::{Loaded, load_app};
pub use cross::cross_check;
pub use host_overlay::{Says, load_batch, load_overlay, says};
pub use inject::load_injections;
pub use mentions::{Mention, Mentioned, mentions};
pub use settings::{Host, KEEP};
pub use template::{Origin, origins};
pub use text::{AppState, AppText, Body, ConfigText, Dir, DropIns, File, Named};
