//! Prepares, gives away and clears the writable layer of one app; run by its units, or by an admin.
//! It decides nothing here: the words are checked, the work is done in `host::overlay_dirs`.
//! The command lines are those of docs/verity.md.

use std::process::ExitCode;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::overlay_dirs;
use veneer::message;
use veneer::name::{AppId, UserName};
use veneer::path::AbsPath;
use veneer::sysexits::Exit;
use veneer::verity::spec::Words;

const USAGE: &str = "usage: veneer-overlay prepare ID --upper DIR [--dry-run]
       veneer-overlay own ID --user NAME PATH…";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    run(&arguments)
        .unwrap_or_else(|said| {
            eprintln!("veneer-overlay: {said}");
            Exit::Usage
        })
        .into()
}

fn run(arguments: &[String]) -> Result<Exit, String> {
    let (verb, rest) = arguments.split_first().ok_or(USAGE)?;
    let mut words = Words::new(rest);
    let (id, paths) = words.positional.split_first().ok_or(USAGE)?;
    let id = AppId::parse(id)?;
    let paths = paths.iter().map(|path| AbsPath::parse(path)).collect::<Result<Vec<_>, _>>()?;
    let (mut upper, mut user, mut dry) = (None, None, false);
    while let Some((option, value)) = words.next_option() {
        match option.as_str() {
            "--upper" => upper = Some(AbsPath::parse(&value?)?),
            "--user" => user = Some(UserName::parse(&value?)?),
            "--dry-run" => dry = true,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let result = match (verb.as_str(), upper, user) {
        ("prepare", Some(upper), None) if paths.is_empty() && dry => {
            eprintln!("make the directories {upper}/upper and {upper}/work");
            Ok(())
        }
        ("prepare", Some(upper), None) if paths.is_empty() => overlay_dirs::prepare(&upper),
        ("own", None, Some(user)) => overlay_dirs::own(&id, &user, &paths),
        _ => return Err(USAGE.to_owned()),
    };
    Ok(result.map_or_else(|error| failed(&id, verb, &error), |()| Exit::Success))
}

fn failed(id: &AppId, verb: &str, error: &anyhow::Error) -> Exit {
    let journal = Journal::open("veneer-overlay", Caller::Environment);
    Entry::about(Weight::Error, message::OVERLAY_FAILED, id).say(&journal, &format!("{verb} {id}: {error:#}"));
    Exit::Failure
}
