//! The generator: TOML to units, at boot and at daemon-reload.
//! It only reads its arguments; the run is `host::generator`'s.
//! Exit 1 if any app has no units, after all others have theirs (systemd.generator(7)).

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;
use veneer::generate::{self, Generated};
use veneer::host::generator::{Call, HELP, Outcome, write};
use veneer::host::kmsg::Kmsg;
use veneer::host::{config_files, live_marks};

fn main() -> ExitCode {
    let mut log = Kmsg::open();
    match Call::parse(std::env::args_os().skip(1)) {
        Ok(Call::Write { dir, root }) => code(write(&dir, &root, &mut log)),
        Ok(Call::DryRun { root }) => code(dry_run(&root)),
        Ok(Call::Help) => print(HELP),
        Ok(Call::Version) => print(concat!("veneer-generator ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(wrong) => {
            eprint!("veneer-generator: {wrong}\n\n{HELP}");
            ExitCode::from(64)
        }
    }
}

fn dry_run(root: &Path) -> Outcome {
    let generated = generate::all(&config_files::read(root), &live_marks::read_units(root));
    for problem in &generated.problems {
        eprintln!("{problem}");
    }
    print(&generated.units.to_string());
    outcome(&generated)
}

fn outcome(generated: &Generated) -> Outcome {
    if generated.is_bad() { Outcome::Partial } else { Outcome::Whole }
}

fn code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Whole => ExitCode::SUCCESS,
        Outcome::Partial => ExitCode::FAILURE,
    }
}

fn print(text: &str) -> ExitCode {
    match stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
