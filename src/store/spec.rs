//! The command line of `veneer-prune`, and what is asked for by it.
//! It does nothing; `host::prune` does.
//! The options are those of veneer-prune.service(8).

use clap::Parser;
use std::path::PathBuf;

/// Remove from the store what nothing refers to
#[derive(Debug, Parser)]
#[command(name = "veneer-prune", version, max_term_width = 100, after_help = "See veneer-prune.service(8).")]
pub struct Arguments {
    /// Only say what stays and what goes, and why
    #[arg(long)]
    dry_run: bool,
    /// Remove even if nothing refers to any image at all
    #[arg(long)]
    all: bool,
    /// Leave what veneer.toml says is too young to go
    #[arg(long, conflicts_with = "when_full")]
    policy: bool,
    /// Do nothing unless there is less room than veneer.toml wants, and stop when there is enough
    #[arg(long)]
    when_full: bool,
    /// Print JSON: short, pretty (the default if no format is given) or off
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true,
          default_missing_value = "pretty", hide_possible_values = true)]
    json: Option<crate::cli::args::Json>,
    /// Work on the store and the configuration below DIR, without a running systemd
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
}

/// What is asked for.
#[derive(Debug)]
pub struct Spec {
    /// Whether it is done.
    pub doing: Doing,
    /// What goes.
    pub wanted: Wanted,
    /// Whether it may be everything.
    pub none_used: NoneUsed,
    /// How the verdicts are printed.
    pub json: Option<crate::cli::args::Json>,
    /// The root.
    pub root: PathBuf,
}

/// Whether what is decided is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is.
    Removing,
    /// It is only shown.
    Showing,
}

/// What goes of what nothing refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Everything,
    /// What the settings say.
    Policy,
    /// As much as makes room.
    WhenFull,
}

/// What an empty set of claims means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoneUsed {
    /// That something is wrong: nothing goes.
    Refused,
    /// That nothing is in use.
    Meant,
}

impl From<Arguments> for Spec {
    fn from(typed: Arguments) -> Self {
        Self {
            doing: if typed.dry_run { Doing::Showing } else { Doing::Removing },
            wanted: match (typed.policy, typed.when_full) {
                (_, true) => Wanted::WhenFull,
                (true, false) => Wanted::Policy,
                (false, false) => Wanted::Everything,
            },
            none_used: if typed.all { NoneUsed::Meant } else { NoneUsed::Refused },
            json: typed.json.filter(|json| *json != crate::cli::args::Json::Off),
            root: typed.root,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_is_asked_for() {
        let of = |words: &str| {
            let words = std::iter::once("veneer-prune").chain(words.split_whitespace());
            Arguments::try_parse_from(words).map(Spec::from).map_err(|error| error.to_string())
        };
        let plain = of("").expect("no words");
        assert_eq!(
            (plain.doing, plain.wanted, plain.none_used),
            (Doing::Removing, Wanted::Everything, NoneUsed::Refused)
        );
        let timer = of("--policy --dry-run --all").expect("good words");
        assert_eq!((timer.doing, timer.wanted, timer.none_used), (Doing::Showing, Wanted::Policy, NoneUsed::Meant));
        assert!(of("--policy --when-full").is_err() && of("x").is_err());
    }
}
