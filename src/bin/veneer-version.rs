//! Makes the image of an app from a container image, and keeps its versions; run by units, or by an admin.
//! It decides nothing here: the words are checked in `version::spec`, the work is done in `host::version`.
//! The command line is that of veneer-pull@.service(8).

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;
use veneer::convert::fault::exit_of;
use veneer::host::interruption::Interruption;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::pull::Listener;
use veneer::host::store::StoreDir;
use veneer::host::version::{self, App, Made, Mended};
use veneer::host::{systemctl, terminal};
use veneer::layout::{IMAGES, VERSIONS};
use veneer::message::{self, MessageId};
use veneer::name::AppId;
use veneer::store::Version;
use veneer::sysexits::Exit;
use veneer::verity::Fault;
use veneer::version::{Arguments, Decision, Goal, Make, Verb};

const NAME: &str = "veneer-version";

fn main() -> ExitCode {
    let verb = match Arguments::try_parse() {
        Ok(arguments) => arguments.verb,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            drop(error.print());
            return exit.into();
        }
    };
    let journal = Journal::open(NAME, Caller::Environment);
    let (what, failed) = match &verb {
        Verb::Make(make) => (format!("making an image of {}", make.origin), message::NOT_CONVERTED),
        Verb::Rollback(of) | Verb::Failed(of) => (format!("going back with {}", of.app), message::NOT_CONVERTED),
        Verb::Mend(_) => ("making damaged images again".to_owned(), message::NOT_CONVERTED),
    };
    match run(&verb, &journal) {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            let text = format!("{what}: {error:#}");
            Entry::about_image(Weight::Error, failed, None).say(&journal, &text);
            Fault::of(&error).map_or_else(|| exit_of(&error), |fault| fault.exit).into()
        }
    }
}

fn run(verb: &Verb, journal: &Journal) -> Result<()> {
    let store = StoreDir::host();
    match verb {
        Verb::Make(make) if make.dry_run => show(&version::steps(&store, make)?),
        Verb::Make(make) => {
            // Signals are blocked before there is a second thread.
            let interruption = Interruption::watch(NAME)?;
            version::make(&store, make, &interruption).map(|made| tell(make, &made, journal))
        }
        Verb::Rollback(of) | Verb::Failed(of) if of.dry_run => {
            let (from, to) = App::open(&store, of.app.clone())?.ahead()?;
            show(&[format!("have {VERSIONS}/{}/current lead from version {} to {}", of.app, from.number, to.number)])
        }
        Verb::Rollback(of) => {
            let (from, to) = App::open(&store, of.app.clone())?.back()?;
            told_back(&of.app, &from, &to, "by hand; it is used with the next start", Weight::Info, journal);
            Ok(())
        }
        Verb::Failed(of) => failed(&store, &of.app, journal),
        Verb::Mend(mend) if mend.dry_run => {
            let damaged = version::damaged(&store)?;
            show(&damaged.iter().map(|name| format!("make {IMAGES}/{name}.raw again")).collect::<Vec<_>>())
        }
        Verb::Mend(_) => mended(&store, journal),
    }
}

/// All that is damaged, one after the other: what cannot be made again does not stop the rest.
fn mended(store: &StoreDir, journal: &Journal) -> Result<()> {
    let interruption = Interruption::watch(NAME)?;
    let mut failed = None;
    for name in version::damaged(store)? {
        let path = format!("{IMAGES}/{name}.raw");
        let told = Teller { journal, path: &path };
        match version::mend(store, &name, &told, &interruption) {
            Ok(Mended::Anew(reference)) => {
                let text = format!("{name}: it was damaged, and was made again of {reference}");
                Entry::about_image(Weight::Info, message::MENDED, Some(&path)).say(journal, &text);
            }
            Ok(Mended::Unknown) => {
                let said = format!("{name} is damaged, and it is not known of what it can be made again");
                failed = Some(told.wrong(Fault::no_input(said).into()));
            }
            Err(error) => failed = Some(told.wrong(error.context(format!("making {name} again")))),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Says what becomes of one damaged image.
struct Teller<'a> {
    journal: &'a Journal,
    path: &'a str,
}

impl Teller<'_> {
    fn wrong(&self, error: anyhow::Error) -> anyhow::Error {
        Entry::about_image(Weight::Error, message::DAMAGED, Some(self.path)).say(self.journal, &format!("{error:#}"));
        error
    }
}

impl Listener for Teller<'_> {
    fn hear(&self, text: &str) {
        Entry::about_image(Weight::Info, message::PULLED, Some(self.path)).say(self.journal, text);
    }
}

/// The app has failed: if that was a new version, the one before is started.
fn failed(store: &StoreDir, id: &AppId, journal: &Journal) -> Result<()> {
    let app = App::open(store, id.clone())?;
    match app.on_trial_since() {
        Some(since) if systemctl::failed_early(id, since)? => {}
        _ => return Ok(()),
    }
    let (from, to) = app.back()?;
    told_back(id, &from, &to, "since the app did not come up", Weight::Warning, journal);
    systemctl::start_again(id)
}

fn told_back(id: &AppId, from: &Version, to: &Version, why: &str, weight: Weight, journal: &Journal) {
    let path = format!("{IMAGES}/{}.raw", to.image);
    let text = format!("{id}: back from version {} to version {}, {why}", from.number, to.number);
    Entry::about(weight, message::ROLLED_BACK, id).image(Some(&path)).say(journal, &text);
}

fn tell(make: &Make, made: &Made, journal: &Journal) {
    let path = format!("{IMAGES}/{}.raw", made.image);
    let say = |id: MessageId, text: String| match make.goal() {
        Goal::App(app, _) => Entry::about(Weight::Info, id, &app).image(Some(&path)).say(journal, &text),
        Goal::Store => Entry::about_image(Weight::Info, id, Some(&path)).say(journal, &text),
    };
    made.remarks.iter().for_each(|remark| say(message::CONVERTED, remark.clone()));
    let how = if made.kept { "is there already" } else { "made" };
    let text = match &made.decision {
        None => format!("{}: {path} {how}", make.origin),
        Some(Decision::Keep(version)) => format!("{}: version {} is in use", make.origin, version.number),
        Some(Decision::Stay(version)) => {
            format!("{}: version {} stays, the image there now was left before", make.origin, version.number)
        }
        Some(Decision::Switch(version, _)) => format!("{}: version {}, {path} {how}", make.origin, version.number),
    };
    let id = if matches!(made.decision, Some(Decision::Switch(..))) { message::UPDATED } else { message::CONVERTED };
    say(id, text);
}

fn show(steps: &[String]) -> Result<()> {
    terminal::print(&steps.iter().map(|step| format!("{step}\n")).collect::<String>())
}
