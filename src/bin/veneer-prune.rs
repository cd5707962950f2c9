//! Removes from the store what nothing refers to.
//! It decides nothing here: `store::prune` does, and `host::prune` does the work.
//! The command line is that of veneer-prune.service(8).

use anyhow::Result;
use clap::Parser as _;
use std::process::ExitCode;
use veneer::cli::args::Json;
use veneer::cli::time::bytes;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::prune::{self, Outcome, Pruned};
use veneer::host::terminal;
use veneer::message::{self, MessageId};
use veneer::store::spec::{Arguments, Spec};
use veneer::store::verdict::{Item, Verdict};
use veneer::store::verdict_text::{Row, line, lines};
use veneer::sysexits::Exit;

const NAME: &str = "veneer-prune";

fn main() -> ExitCode {
    let spec = match Arguments::try_parse() {
        Ok(arguments) => Spec::from(arguments),
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            drop(error.print());
            return exit.into();
        }
    };
    let teller = Teller(Journal::open(NAME, Caller::Environment));
    let outcome = prune::run(&spec, || teller.info("waiting for others who read or make images"));
    let exit = outcome.and_then(|outcome| teller.tell(&spec, &outcome)).unwrap_or_else(|error| {
        teller.say(Weight::Error, message::PRUNE_FAILED, None, &format!("{error:#}"));
        Exit::Failure
    });
    exit.into()
}

/// Says what comes of it.
struct Teller(Journal);

impl Teller {
    fn tell(&self, spec: &Spec, outcome: &Outcome) -> Result<Exit> {
        match outcome {
            Outcome::Room => Ok(Exit::Success),
            Outcome::Refused(reasons) => {
                reasons.iter().for_each(|why| self.say(Weight::Error, message::NOT_PRUNED, None, why));
                self.say(Weight::Error, message::NOT_PRUNED, None, "nothing was removed");
                Ok(Exit::TempFail)
            }
            Outcome::Shown(verdicts) => {
                let text = match spec.json {
                    Some(format) => json(verdicts, format)?,
                    None => lines(verdicts),
                };
                terminal::print(&text).map(|()| Exit::Success)
            }
            Outcome::Done(pruned) => self.done(spec, pruned),
        }
    }

    fn done(&self, spec: &Spec, pruned: &Pruned) -> Result<Exit> {
        let Pruned { verdicts, removed, freed } = pruned;
        let gone = |item: &Item| removed.items.binary_search(item).is_ok();
        let gone: Vec<Verdict> =
            verdicts.iter().filter(|verdict| verdict.goes() && gone(&verdict.item)).cloned().collect();
        match spec.json {
            Some(format) => terminal::print(&json(&gone, format)?)?,
            None => gone.iter().for_each(|verdict| {
                let image = if let Item::Image(name) = &verdict.item { Some(name.as_str()) } else { None };
                self.say(Weight::Info, message::PRUNED, image, line(verdict).trim_end());
            }),
        }
        for item in &removed.busy {
            self.info(&format!("keep   {item}: it is just being made"));
        }
        for why in &removed.failed {
            self.say(Weight::Error, message::PRUNE_FAILED, None, why);
        }
        let images = gone.iter().filter(|verdict| matches!(verdict.item, Item::Image(_))).count();
        self.info(&format!("{images} images removed, {} free again", bytes(*freed)));
        Ok(if removed.failed.is_empty() { Exit::Success } else { Exit::Failure })
    }

    fn info(&self, text: &str) {
        self.say(Weight::Info, message::PRUNED, None, text);
    }

    fn say(&self, weight: Weight, id: MessageId, image: Option<&str>, text: &str) {
        Entry::about_image(weight, id, image).say(&self.0, text);
    }
}

fn json(verdicts: &[Verdict], format: Json) -> Result<String> {
    let rows: Vec<Row<'_>> = verdicts.iter().map(Row::from).collect();
    let text = match format {
        Json::Short => serde_json::to_string(&rows),
        Json::Pretty | Json::Off => serde_json::to_string_pretty(&rows),
    };
    Ok(text? + "\n")
}
