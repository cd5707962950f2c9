//! The command line of `veneer session`.
//! It says what may be typed, and nothing of what is done: that is `session`'s.
//! Manners are those of `args`.

use super::args::{DryRun, Output};
use clap::{Args, Subcommand};

/// `veneer session`
#[derive(Debug, Args)]
pub struct Session {
    /// What to do.
    #[command(subcommand)]
    pub verb: SessionVerb,
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionVerb {
    /// Make a session, and print its name, path and unit
    Create(SessionCreate),
    /// List the sessions
    List(SessionList),
    /// Show what a session is a copy of, how it was made, and why so
    Inspect(SessionInspect),
    /// Stop sessions and whatever runs in them; nothing of them is left
    Remove(SessionRemove),
    /// Remove what a crash left of sessions
    Gc(SessionGc),
}

/// `veneer session create`
#[derive(Debug, Args)]
pub struct SessionCreate {
    /// The app
    #[arg(value_name = "ID")]
    pub id: String,
    /// The session's name; drawn at random if none is given
    #[arg(value_name = "SESSION")]
    pub name: Option<String>,
    /// Run the app in it as well
    #[arg(long)]
    pub run: bool,
    /// Make so many, with names drawn at random
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "name", hide_default_value = true,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer session list`
#[derive(Debug, Args)]
pub struct SessionList {
    /// The app; all if none is given
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer session inspect`
#[derive(Debug, Args)]
pub struct SessionInspect {
    /// The app
    #[arg(value_name = "ID")]
    pub id: String,
    /// The session
    #[arg(value_name = "SESSION")]
    pub name: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer session remove`
#[derive(Debug, Args)]
pub struct SessionRemove {
    /// The app
    #[arg(value_name = "ID")]
    pub id: String,
    /// The sessions
    #[arg(value_name = "SESSION", required_unless_present = "all")]
    pub names: Vec<String>,
    /// All of the app
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer session gc`
#[derive(Debug, Args)]
pub struct SessionGc {
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}
