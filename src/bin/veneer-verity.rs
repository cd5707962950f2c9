//! Checks, opens and closes the image of one app; run by its units.
//! It decides nothing here: the words go to `verity::spec`, the work is done in `host`.
//! The command lines are those of docs/verity.md.

use std::process::ExitCode;
use veneer::host::journal::{Caller, Journal};
use veneer::host::store::StoreDir;
use veneer::host::{attach, check, corrupted, detach, image_mount, scrub};
use veneer::name::AppId;
use veneer::sysexits::Exit;
use veneer::verity::Spec;
use veneer::verity::spec::Words;

const USAGE: &str =
    "usage: veneer-verity attach ID (--image PATH | --name NAME --store DIR… | --directory DIR) [OPTION…]
       veneer-verity check ID
       veneer-verity detach ID
       veneer-verity scrub IMAGE|all
       veneer-verity corrupted DEVICE TYPE,BLOCK";

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let called = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    if called.ends_with("mount.veneer") {
        return mount(&arguments);
    }
    let result = match arguments.split_first() {
        Some((verb, rest)) if verb == "attach" => attach(rest),
        Some((verb, rest)) if verb == "check" => check(rest),
        Some((verb, rest)) if verb == "detach" => detach(rest),
        Some((verb, [name])) if verb == "scrub" => scrub(name),
        Some((verb, [device, words])) if verb == "corrupted" => corrupted(device, words),
        _ => Err(USAGE.to_owned()),
    };
    result.map_or_else(usage, ExitCode::from)
}

/// As mount(8)'s helper: what it prints is in the journal of the mount's unit; 32 is "mount failed" (mount(8)).
fn mount(arguments: &[String]) -> ExitCode {
    match image_mount::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mount.veneer: {error:#}");
            ExitCode::from(32)
        }
    }
}

fn attach(arguments: &[String]) -> Result<Exit, String> {
    let (spec, run) = Spec::parse(arguments)?;
    let journal = Journal::open("veneer-verity", Caller::Environment);
    Ok(attach::run(&spec, run, &journal).map_or_else(|fault| fault.exit, |()| Exit::Success))
}

fn check(arguments: &[String]) -> Result<Exit, String> {
    let id = only_id(&Words::new(arguments))?;
    Ok(check::run(&id, &Journal::open("veneer-verity", Caller::Environment)))
}

fn scrub(name: &str) -> Result<Exit, String> {
    match name.starts_with('-') {
        true => Err(USAGE.to_owned()),
        false => Ok(scrub::run(&StoreDir::host(), name, &Journal::open("veneer-scrub", Caller::Environment))),
    }
}

fn corrupted(device: &str, words: &str) -> Result<Exit, String> {
    let journal = Journal::open("veneer-verity", Caller::Udev);
    match corrupted::run(device, words, &journal) {
        true => Ok(Exit::Success),
        false => Err(format!("{device:?} {words:?} is no damage of a device of ours")),
    }
}

fn detach(arguments: &[String]) -> Result<Exit, String> {
    let id = only_id(&Words::new(arguments))?;
    let journal = Journal::open("veneer-verity", Caller::Environment);
    Ok(detach::run(&id, &journal).map_or(Exit::Failure, |()| Exit::Success))
}

fn only_id(words: &Words) -> Result<AppId, String> {
    match words.positional.as_slice() {
        [id] => AppId::parse(id),
        _ => Err(USAGE.to_owned()),
    }
}

fn usage(said: String) -> ExitCode {
    eprintln!("veneer-verity: {said}");
    Exit::Usage.into()
}
