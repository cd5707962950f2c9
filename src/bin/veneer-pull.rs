//! Fetches or builds a container image for the store; run by its unit, or by an admin.
//! It decides nothing here: the words are checked in `pull::spec`, the work is done in `host::pull`.
//! The command line is that of veneer-pull@.service(8).

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::pull::{self, Listener, Outcome};
use veneer::host::pull_files;
use veneer::host::store::StoreDir;
use veneer::host::terminal;
use veneer::message;
use veneer::pull::{Arguments, Spec, When};
use veneer::sysexits::Exit;
use veneer::verity::Fault;

fn main() -> ExitCode {
    let spec = match Arguments::try_parse() {
        Ok(arguments) => Spec::from(arguments),
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            drop(error.print());
            return exit.into();
        }
    };
    let teller = Teller { journal: Journal::open("veneer-pull", Caller::Environment), what: spec.origin.to_string() };
    if !pull_files::is_in_unit() && spec.when != When::Shown {
        teller.hide();
    }
    let told = pull::run(&StoreDir::host(), &spec, &teller).and_then(|outcome| teller.tell(&outcome));
    match told {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            teller.say(Weight::Error, &format!("pulling {}: {error:#}", teller.what));
            Fault::of(&error).map_or(Exit::Failure, |fault| fault.exit).into()
        }
    }
}

/// Says what goes on.
struct Teller {
    journal: Journal,
    what: String,
}

impl Teller {
    fn say(&self, weight: Weight, text: &str) {
        let id = if weight == Weight::Error { message::NOT_PULLED } else { message::PULLED };
        Entry::about_image(weight, id, Some(&self.what)).say(&self.journal, text);
    }

    /// By hand, what the unit has by its settings.
    fn hide(&self) {
        if let Err(error) = pull_files::hide_the_hosts() {
            let text = format!("what /etc/containers has for registries holds for this pull, too: {error:#}");
            self.say(Weight::Warning, &text);
        }
    }

    fn tell(&self, outcome: &Outcome) -> Result<()> {
        match outcome {
            Outcome::Pulled(record) => {
                self.say(Weight::Info, &format!("{}: pulled, {}", self.what, record.manifest));
                Ok(())
            }
            Outcome::Kept(record) => {
                self.say(Weight::Info, &format!("{} is in the store, {}", self.what, record.manifest));
                Ok(())
            }
            Outcome::Shown(steps) => terminal::print(&steps.iter().map(|step| format!("{step}\n")).collect::<String>()),
        }
    }
}

impl Listener for Teller {
    fn hear(&self, text: &str) {
        self.say(Weight::Info, &format!("{}: {text}", self.what));
    }
}
