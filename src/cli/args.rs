//! The command line of `veneer`.
//! It says what may be typed, and nothing of what is done: each verb has a file of its own.
//! Manners are systemctl(1)'s: verbs, long options, `--json=short|pretty`.

pub use super::image_args::{
    Image, ImageConvert, ImageDisk, ImageExists, ImageExport, ImageImport, ImageInject, ImageInspect, ImageList,
    ImagePin, ImagePrune, ImagePull, ImagePush, ImageRm, ImageRollback, ImageSign, ImageUnpin, ImageUpdate, ImageVerb,
    ImageVerify,
};
use super::overlay_args::OverlayVerb;
pub use super::session_args::{
    Session, SessionCreate, SessionGc, SessionInspect, SessionList, SessionRemove, SessionVerb,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Apps as systemd units, from one TOML file each.
#[derive(Debug, Parser)]
#[command(
    name = "veneer",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "See veneer(1), and veneer.app(5) for what an app's file can say."
)]
pub struct Cli {
    /// Work on the configuration below DIR, without a running systemd
    #[arg(long, global = true, value_name = "DIR", default_value = "/", hide_default_value = true)]
    pub root: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say everything that is wrong with the configuration, or with some files
    Check(Check),
    /// List the apps
    List(List),
    /// Show what an app runs from: what is verified, mounted, running, and since when
    Status(Status),
    /// Print every unit and drop-in of an app
    Cat(Cat),
    /// Show what a reload would change in the units
    Diff(Diff),
    /// Check, then have systemd read the units anew
    Reload(Reload),
    /// Have the boot start an app
    Enable(Enable),
    /// Have the boot not start an app
    Disable(Enable),
    /// Say which file and line gave an app's setting
    Why(Why),
    /// Make images, look at them, check and sign them
    Image(Image),
    /// Start, list, show and stop writable copies of an app's image or root
    Session(Session),
    /// Lay directories, files and images over the running host, and take them off again
    Overlay(Overlay),
    /// Say what this machine lacks for running apps
    Doctor(Doctor),
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions(Completions),
}

/// How a table is printed for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Json {
    /// On one line
    Short,
    /// Indented
    Pretty,
    /// Not at all: for people
    Off,
}

/// The option of everything that prints a table.
#[derive(Debug, Args)]
pub struct Output {
    /// Print JSON: short, pretty (the default if no format is given) or off
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true,
          default_missing_value = "pretty", hide_possible_values = true)]
    json: Option<Json>,
}

impl Output {
    /// The format, if JSON is wanted.
    pub fn json(&self) -> Option<Json> {
        self.json.filter(|json| *json != Json::Off)
    }
}

/// Whether a doer does it.
#[derive(Debug, Args)]
pub struct DryRun {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `veneer check`
#[derive(Debug, Args)]
pub struct Check {
    /// Files to read as if they were installed; everything that is installed if none is given
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer list`
#[derive(Debug, Args)]
pub struct List {
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer status`
#[derive(Debug, Args)]
pub struct Status {
    /// Apps; all that are up or have failed if none is given
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer cat`
#[derive(Debug, Args)]
pub struct Cat {
    /// The app
    #[arg(value_name = "ID")]
    pub id: String,
}

/// `veneer diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer reload`
#[derive(Debug, Args)]
pub struct Reload {
    /// Reload even if that takes away what runs
    #[arg(long)]
    pub force: bool,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer enable`, `veneer disable`
#[derive(Debug, Args)]
pub struct Enable {
    /// The app
    #[arg(value_name = "ID")]
    pub id: String,
    /// Start it (or stop it) at once as well
    #[arg(long)]
    pub now: bool,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer why`
#[derive(Debug, Args)]
pub struct Why {
    /// The app
    #[arg(value_name = "ID")]
    pub id: String,
    /// A setting of systemd's (MemoryMax) or a key of ours (image.file); all keys if none is given
    pub directive: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer overlay`
#[derive(Debug, Args)]
pub struct Overlay {
    /// What to do.
    #[command(subcommand)]
    pub verb: OverlayVerb,
}

/// `veneer completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_takes_a_format_or_none() {
        let json = |words: &[&str]| match Cli::try_parse_from([&["veneer", "list"], words].concat()).map(|cli| cli.verb)
        {
            Ok(Verb::List(list)) => list.output.json(),
            other => panic!("{other:?}"),
        };
        assert_eq!(json(&[]), None);
        assert_eq!(json(&["--json"]), Some(Json::Pretty));
        assert_eq!(json(&["--json=short"]), Some(Json::Short));
        assert_eq!(json(&["--json=off"]), None);
    }
}
