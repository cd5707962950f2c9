//! Completions of the command line for a shell; the build installs them.
//! They complete verbs and options; app ids they do not know.

use super::args::{Cli, Completions};
use clap::CommandFactory as _;

pub(super) fn run(args: &Completions) -> String {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "veneer", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
