//! Puts an agent and other files into an image; run by its unit, or by an admin.
//! It decides nothing here: the words are checked in `inject::spec`, the work is done in `host::inject`.
//! The command line is that of docs/inject.md.

use clap::Parser;
use std::io::ErrorKind;
use std::process::ExitCode;
use veneer::host::inject::{self, Outcome};
use veneer::host::terminal;
use veneer::inject::{Arguments, Plan, Spec};
use veneer::sysexits::Exit;

const NAME: &str = "veneer-inject";

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            drop(error.print());
            return exit.into();
        }
    };
    let spec = Spec::from(arguments);
    let waiting = || terminal::complain_as(5, NAME, "another is making this image, waiting");
    match inject::run(&spec, waiting).and_then(|outcome| tell(&outcome)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::complain_as(3, NAME, &format!("{error:#}"));
            exit(&error).into()
        }
    }
}

/// Says what came of it.
fn tell(outcome: &Outcome) -> anyhow::Result<Exit> {
    match outcome {
        Outcome::Mistyped(problems) => {
            problems.iter().for_each(|problem| terminal::complain_as(3, NAME, &problem.to_string()));
            Ok(Exit::Config)
        }
        Outcome::Refused(plan) => Ok(refuse(plan)),
        Outcome::Shown(plan) => {
            terminal::print(&listed(plan))?;
            Ok(if plan.refusals().is_empty() { Exit::Success } else { refuse(plan) })
        }
        Outcome::Nothing(plan) | Outcome::Written(plan) => terminal::print(&listed(plan)).map(|()| Exit::Success),
        Outcome::AlreadyMade => {
            terminal::print("the image is there already, made of the same\n").map(|()| Exit::Success)
        }
    }
}

fn listed(plan: &Plan) -> String {
    plan.steps.iter().map(|step| format!("{step}\n")).collect()
}

fn refuse(plan: &Plan) -> Exit {
    plan.refusals().iter().for_each(|why| terminal::complain_as(3, NAME, why));
    Exit::Data
}

fn exit(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => Exit::Data,
        Some(ErrorKind::NotFound) => Exit::NoInput,
        Some(ErrorKind::Unsupported) => Exit::Unavailable,
        _ => Exit::Failure,
    }
}
