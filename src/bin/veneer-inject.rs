//! Puts an agent and other files into an image; run by its unit, or by an admin.
//! It decides nothing here: the words are checked in `inject::spec`, the work is done in `host::inject`.
//! The command line is that of docs/inject.md.

use anyhow::Result;
use clap::Parser;
use std::io::ErrorKind;
use std::process::ExitCode;
use veneer::host::inject::{self, Outcome};
use veneer::host::interruption::Interruption;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::terminal;
use veneer::image::manifest::Manifest;
use veneer::inject::{Arguments, Plan, Spec};
use veneer::message;
use veneer::sysexits::Exit;
use veneer::verity::Fault;

const NAME: &str = "veneer-inject";

fn main() -> ExitCode {
    let spec = match Arguments::try_parse().and_then(Spec::try_from) {
        Ok(spec) => spec,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            drop(error.print());
            return exit.into();
        }
    };
    let teller = Teller { journal: Journal::open(NAME, Caller::Environment), image: spec.image.display().to_string() };
    // Signals are blocked before there is a second thread.
    let outcome = Interruption::watch(NAME).and_then(|interruption| {
        inject::run(&spec, &interruption, || teller.say(None, "waiting for another that makes this image"))
    });
    let exit = outcome.and_then(|outcome| teller.tell(&outcome)).unwrap_or_else(|error| {
        teller.complain(&format!("{error:#}"));
        exit(&error)
    });
    exit.into()
}

/// Says what comes of it.
struct Teller {
    journal: Journal,
    image: String,
}

impl Teller {
    fn tell(&self, outcome: &Outcome) -> Result<Exit> {
        match outcome {
            Outcome::Mistyped(problems) => {
                problems.iter().for_each(|problem| self.complain(&problem.to_string()));
                return Ok(Exit::Config);
            }
            Outcome::Refused(plan) => return Ok(self.refuse(plan)),
            Outcome::Shown(plan) => {
                terminal::print(&listed(plan))?;
                return Ok(if plan.refusals().is_empty() { Exit::Success } else { self.refuse(plan) });
            }
            Outcome::Nothing(_) => self.say(None, &format!("{} has everything already", self.image)),
            Outcome::Kept(manifest) => self.say(Some(manifest), "the output is there already, made from the same"),
            Outcome::Made(plan, manifest) => {
                terminal::print(&listed(plan))?;
                self.say(Some(manifest), &format!("{} bytes written", manifest.sizes.image));
            }
        }
        Ok(Exit::Success)
    }

    fn say(&self, manifest: Option<&Manifest>, text: &str) {
        let root_hash = manifest.map(|manifest| manifest.root_hash.as_str());
        let text = root_hash.map_or_else(|| text.to_owned(), |root_hash| format!("{text}; root hash {root_hash}"));
        let entry = Entry::about_image(Weight::Info, message::INJECTED, Some(&self.image));
        entry.root_hash(root_hash).say(&self.journal, &text);
    }

    fn complain(&self, text: &str) {
        Entry::about_image(Weight::Error, message::NOT_INJECTED, Some(&self.image)).say(&self.journal, text);
    }

    fn refuse(&self, plan: &Plan) -> Exit {
        plan.refusals().iter().for_each(|why| self.complain(why));
        Exit::Data
    }
}

fn listed(plan: &Plan) -> String {
    plan.steps.iter().map(|step| format!("{step}\n")).collect()
}

fn exit(error: &anyhow::Error) -> Exit {
    if let Some(fault) = Fault::of(error) {
        return fault.exit;
    }
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    match kind {
        Some(ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof) => Exit::Data,
        Some(ErrorKind::NotFound) => Exit::NoInput,
        Some(ErrorKind::Unsupported) => Exit::Unavailable,
        _ => Exit::Failure,
    }
}
