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
use clap::{Arg, Args, Command, CommandFactory as _, Parser, Subcommand, ValueEnum, value_parser};
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

/// The option that all verbs share; its name in [`Cli`].
const ROOT: &str = "root";
/// Verbs that work on the running system only, by their names: they refuse `--root`, and do not list it.
const RUNNING: [&[&str]; 8] = [
    &["session"],
    &["overlay"],
    &["image", "convert"],
    &["image", "inject"],
    &["image", "pull"],
    &["image", "update"],
    &["image", "rollback"],
    &["image", "import"],
];

/// What a verb does about `--root`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Taken,
    Refused,
}

/// The command line, with `--root` listed where it is taken. It is read everywhere: whoever refuses it says why.
pub fn command() -> Command {
    each_verb(Cli::command(), &[], |verb, root| match root {
        Root::Taken => verb,
        Root::Refused => hide_root(verb),
    })
}

/// The same for completions: `--root` is there only where it is taken.
pub fn completed() -> Command {
    let own = Cli::command().mut_arg(ROOT, |root| root.global(false));
    each_verb(own, &[], |verb, root| match root {
        Root::Taken => verb.arg(self::root()),
        Root::Refused => verb,
    })
}

fn each_verb(command: Command, above: &[String], change: fn(Command, Root) -> Command) -> Command {
    command.mut_subcommands(|verb| {
        let path = [above, &[verb.get_name().to_owned()]].concat();
        match RUNNING.iter().any(|refuses| path.iter().eq(refuses.iter())) {
            true => change(verb, Root::Refused),
            false if verb.has_subcommands() => each_verb(verb, &path, change),
            false => change(verb, Root::Taken),
        }
    })
}

/// Of a verb, and of all that are below it.
fn hide_root(command: Command) -> Command {
    command.mut_subcommands(hide_root).arg(root().hide(true))
}

fn root() -> Arg {
    let help = "Work on the configuration below DIR, without a running systemd";
    Arg::new(ROOT).long(ROOT).value_name("DIR").value_parser(value_parser!(PathBuf)).help(help)
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
    use clap::FromArgMatches as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        command().debug_assert();
        completed().debug_assert();
    }

    #[test]
    fn a_root_is_listed_where_it_is_taken_and_read_everywhere() {
        let help = |words: &[&str]| {
            let said = command().try_get_matches_from([words, &["--help"]].concat()).expect_err("help");
            said.to_string().contains("--root")
        };
        for taken in [&["veneer", "check"][..], &["veneer", "image", "list"], &["veneer", "image", "verify"]] {
            assert!(help(taken), "{taken:?}");
        }
        for refused in
            [&["veneer", "session", "list"][..], &["veneer", "overlay", "apply"], &["veneer", "image", "pull"]]
        {
            assert!(!help(refused), "{refused:?}");
        }
        for words in [&["veneer", "--root=/x", "session", "list"], &["veneer", "session", "list", "--root=/x"]] {
            let matches = command().try_get_matches_from(words).expect("read");
            assert_eq!(Cli::from_arg_matches(&matches).expect("read").root, PathBuf::from("/x"));
        }
        let listed = |path: &[&str]| {
            let mut command = completed();
            command.build();
            let found = path.iter().try_fold(&command, |at, name| at.find_subcommand(name)).expect("a verb");
            found.get_arguments().any(|arg| arg.get_id() == ROOT)
        };
        assert!(listed(&["check"]) && listed(&["image", "list"]));
        assert!(!listed(&["session", "list"]) && !listed(&["overlay", "diff"]) && !listed(&["image", "pull"]));
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
