//! Veneer turns one TOML file per app into native systemd units, and leaves everything that runs to systemd.
//!
//! The road: files in `apps.d` -> [`config`] (what was typed, or Problems) -> [`app::App`] (checked)
//! -> [`plan`] (pure) -> [`unit::UnitSet`] -> its text, for the dry run and the generator's output alike.
//! Only [`host`] touches files, devices, processes and the clock.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod alone;
pub mod app;
pub mod cli;
pub mod config;
pub mod convert;
pub mod digest;
pub mod explain;
pub mod generate;
pub mod host;
pub mod image;
pub mod inject;
pub mod layer;
pub mod layout;
pub mod live;
pub mod merge;
pub mod message;
pub mod mountinfo;
pub mod name;
pub mod oci;
pub mod origin;
pub mod overlay;
pub mod path;
pub mod plan;
pub mod problem;
pub mod pull;
pub mod request;
pub mod root_hash;
pub mod session;
pub mod signature;
pub mod size;
pub mod store;
pub mod sysexits;
pub mod unit;
pub mod verity;
pub mod version;
