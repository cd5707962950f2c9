//! The command line of `veneer overlay`.
//! It says what may be typed, and nothing of what is done.
//! The words are those of veneer-overlay(8).

use super::args::{DryRun, Output};
use crate::overlay::OverlayName;
use crate::overlay::spec::{self, MountOption};
use crate::root_hash::RootHash;
use crate::unit::Text;
use clap::{Args, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// What to do with an overlay.
#[derive(Debug, Subcommand)]
pub enum OverlayVerb {
    /// Those over the host, which all see.
    #[command(flatten)]
    Host(HostVerb),
    /// Run a command that alone sees an overlay; needs no privileges and leaves nothing behind
    #[command(override_usage = "veneer overlay run [OPTIONS] <NAME> [-- <COMMAND>...]
       veneer overlay run [OPTIONS] --source <PATH> --target <PATH> [-- <COMMAND>...]")]
    Run(OverlayRun),
}

/// `veneer overlay run`
#[derive(Debug, Args)]
pub struct OverlayRun {
    /// An overlay over the host: the command sees what it has, and what it writes stays with it
    #[arg(value_name = "NAME", value_parser = OverlayName::parse, conflicts_with_all = ["source", "target"],
          required_unless_present_all = ["source", "target"])]
    pub name: Option<OverlayName>,
    /// The directory or file that is laid over
    #[arg(long, value_name = "PATH", requires = "target")]
    pub source: Option<PathBuf>,
    /// What it is laid over
    #[arg(long, value_name = "PATH", requires = "source")]
    pub target: Option<PathBuf>,
    /// Let the command write nothing there
    #[arg(long, conflicts_with_all = ["keep", "size"])]
    pub read_only: bool,
    /// Keep what is written in this directory; without it, that is gone with the command
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "size")]
    pub keep: Option<PathBuf>,
    /// How much may be written to memory: 64M, 1G
    #[arg(long, value_name = "SIZE", value_parser = crate::size::Size::parse)]
    pub size: Option<crate::size::Size>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
    /// The command and its arguments; your shell if none is given
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<OsString>,
}

/// What to do with overlays over the host.
#[derive(Debug, Subcommand)]
pub enum HostVerb {
    /// Lay a directory, a file or an image over a place of the running host
    Apply(Apply),
    /// List the overlays
    List(OverlayList),
    /// Show what an overlay adds, changes and deletes
    Diff(OverlayDiff),
    /// Drop what was written into an overlay; its source stays
    Reset(OverlayAct),
    /// Take an overlay off, and drop what was written
    Remove(OverlayRemove),
    /// Make an image of what an overlay changes
    Commit(OverlayCommit),
    /// List the versions of an overlay
    History(OverlayHistory),
    /// Go back to an older version of an overlay
    Rollback(OverlayRollback),
    /// Take what lies beneath an overlay now for the right base
    Accept(OverlayAct),
    /// Write an overlay to a file, for another host or another user
    Export(OverlayExport),
    /// Apply an overlay that was exported
    Import(OverlayImport),
}

/// What is done when the base has changed at a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BaseChanged {
    /// Mount it, and warn
    Warn,
    /// Hold it back until `accept`
    Hold,
}

/// Options of everything that makes an overlay.
#[derive(Debug, Args)]
pub struct Making {
    /// Nothing can be written into it (the default)
    #[arg(long, conflicts_with = "writable")]
    pub read_only: bool,
    /// What is written goes into the overlay
    #[arg(long)]
    pub writable: bool,
    /// It comes back at boot
    #[arg(long)]
    pub persistent: bool,
    /// The most that can be written, with K, M, G or T (to base 1024); 64M if not given
    #[arg(long, value_parser = spec::size)]
    pub size: Option<u64>,
    /// The user whose it is: a name or a number
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// What a person calls it
    #[arg(long, value_name = "TEXT", value_parser = Text::parse)]
    pub description: Option<Text>,
    /// The target again, if the host cannot do without it
    #[arg(long, value_name = "TARGET")]
    pub force_target: Option<PathBuf>,
    /// What to do at boot when what lies beneath has changed; warn if not given
    #[arg(long, value_enum, value_name = "WHAT")]
    pub base_changed: Option<BaseChanged>,
    /// An option of overlayfs (volatile, xino=on, xino=off, xino=auto) or of its mount (nosuid, noexec, nosymfollow); any number of times
    #[arg(long, value_name = "OPTION", value_parser = MountOption::parse)]
    pub option: Vec<MountOption>,
}

/// `veneer overlay apply`
#[derive(Debug, Args)]
pub struct Apply {
    /// Its name
    #[arg(value_name = "NAME", value_parser = OverlayName::parse, required_unless_present = "batch")]
    pub name: Option<OverlayName>,
    /// A directory, a file, or an image with its hash tree and root hash beside it
    #[arg(value_name = "SOURCE", required_unless_present = "batch")]
    pub source: Option<PathBuf>,
    /// The directory or file that it is laid over
    #[arg(value_name = "TARGET", required_unless_present = "batch")]
    pub target: Option<PathBuf>,
    /// How it is made.
    #[command(flatten)]
    pub making: Making,
    /// Apply the overlays of a file, all or none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "source", "target", "read_only", "writable",
          "persistent", "size", "owner", "description", "force_target", "base_changed", "option"])]
    pub batch: Option<PathBuf>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer overlay list`
#[derive(Debug, Args)]
pub struct OverlayList {
    /// Only those of a user: a name or a number
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer overlay diff`
#[derive(Debug, Args)]
pub struct OverlayDiff {
    /// The overlay
    #[arg(value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: OverlayName,
    /// Only what was written, not what the source brought
    #[arg(long)]
    pub written: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer overlay reset`, `veneer overlay accept`
#[derive(Debug, Args)]
pub struct OverlayAct {
    /// The overlay
    #[arg(value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: OverlayName,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer overlay remove`
#[derive(Debug, Args)]
pub struct OverlayRemove {
    /// The overlay
    #[arg(value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: OverlayName,
    /// Also if processes hold it: they keep what they hold, and nobody else finds it
    #[arg(long)]
    pub lazy: bool,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// What an image is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CommitAs {
    /// `veneer overlay apply`: an image with its hash tree and root hash
    Image,
    /// systemd-sysext(8)
    Sysext,
}

/// `veneer overlay commit`
#[derive(Debug, Args)]
pub struct OverlayCommit {
    /// The overlay
    #[arg(value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: OverlayName,
    /// What to write: NAME.raw and what stands beside it; a path without an ending
    #[arg(long, value_name = "[DIR/]NAME")]
    pub output: PathBuf,
    /// What the image is for
    #[arg(long = "as", value_enum, default_value = "image", value_name = "KIND")]
    pub kind: CommitAs,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer overlay history`
#[derive(Debug, Args)]
pub struct OverlayHistory {
    /// The overlay
    #[arg(value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: OverlayName,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer overlay rollback`
#[derive(Debug, Args)]
pub struct OverlayRollback {
    /// The overlay
    #[arg(value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: OverlayName,
    /// The number of a version, as history shows it; the one before if not given
    #[arg(value_name = "VERSION")]
    pub version: Option<u32>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer overlay export`
#[derive(Debug, Args)]
pub struct OverlayExport {
    /// The overlay
    #[arg(value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: OverlayName,
    /// The file that is written
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer overlay import`
#[derive(Debug, Args)]
pub struct OverlayImport {
    /// A file that `veneer overlay export` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Its name here; as it was called if not given
    #[arg(long, value_name = "NAME", value_parser = OverlayName::parse)]
    pub name: Option<OverlayName>,
    /// The directory or file that it is laid over here; as it was if not given
    #[arg(long, value_name = "TARGET")]
    pub target: Option<PathBuf>,
    /// The root hash that `veneer overlay export` said: then it is taken whatever is in it
    #[arg(long, value_name = "HASH", value_parser = RootHash::parse)]
    pub root_hash: Option<RootHash>,
    /// How it is made.
    #[command(flatten)]
    pub making: Making,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}
