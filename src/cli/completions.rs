//! Completions of the command line for a shell; the build installs them.
//! They complete verbs and options; app ids they do not know.

use super::args::{Completions, completed};
use crate::store::spec as prune;
use crate::{convert, inject};
use clap::CommandFactory as _;

pub(super) fn run(args: &Completions) -> String {
    let mut out = Vec::new();
    // What is handed on as it is, is completed like what takes it.
    let mut command = completed().mut_subcommand("image", |image| {
        image
            .mut_subcommand("convert", |_| convert::Arguments::command().name("convert"))
            .mut_subcommand("inject", |_| inject::Arguments::command().name("inject"))
            .mut_subcommand("prune", |_| prune::Arguments::command().name("prune"))
    });
    clap_complete::generate(args.shell, &mut command, "veneer", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap_complete::Shell;

    #[test]
    fn what_is_handed_on_is_completed_like_what_takes_it() {
        let text = run(&Completions { shell: Shell::Bash });
        for option in ["--when-full", "--agent", "--deduplicate"] {
            assert!(text.contains(option), "{option}");
        }
    }
}
