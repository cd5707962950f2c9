//! Completions of the command line for a shell; the build installs them.
//! They complete verbs and options; app ids they do not know.

use super::args::{Cli, Completions};
use crate::convert::Arguments;
use clap::CommandFactory as _;

pub(super) fn run(args: &Completions) -> String {
    let mut out = Vec::new();
    // What is handed on as it is, is completed like what takes it.
    let mut command = Cli::command()
        .mut_subcommand("image", |image| image.mut_subcommand("convert", |_| Arguments::command().name("convert")));
    clap_complete::generate(args.shell, &mut command, "veneer", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
