//! Prepares, gives away and clears the writable layer of one app; run by its units, or by an admin.
//! It decides nothing here: the words are checked, the work is done in `host::overlay_dirs` and `host::overlay_data`.
//! The command lines are those of docs/verity.md.

use std::process::ExitCode;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::overlay::service;
use veneer::host::overlay_data::{self, Clearing};
use veneer::host::overlay_dirs;
use veneer::layout::AppPaths;
use veneer::message;
use veneer::name::{AppId, SessionName, UserName};
use veneer::overlay::{OverlayName, Spec};
use veneer::path::AbsPath;
use veneer::session::SessionPaths;
use veneer::sysexits::Exit;
use veneer::verity::Run;
use veneer::verity::spec::Words;

const USAGE: &str = "usage: veneer-overlay prepare ID --upper DIR [--dry-run]
       veneer-overlay own ID --user NAME [--session NAME] PATH…
       veneer-overlay reset ID [--dry-run]
       veneer-overlay remove ID [--dry-run]
       veneer-overlay host-up NAME
       veneer-overlay host-declare NAME --source=PATH --target=PATH [--KEY=VALUE…]
       veneer-overlay host-down NAME
       veneer-overlay host-recover";

/// A command line, read.
struct Typed {
    id: AppId,
    paths: Vec<AbsPath>,
    upper: Option<AbsPath>,
    user: Option<UserName>,
    session: Option<SessionName>,
    run: Run,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let exit = run(&arguments).unwrap_or_else(|said| {
        eprintln!("veneer-overlay: {said}");
        Exit::Usage
    });
    exit.into()
}

fn run(arguments: &[String]) -> Result<Exit, String> {
    let (verb, rest) = arguments.split_first().ok_or(USAGE)?;
    if let Some(verb) = verb.strip_prefix("host-") {
        return host(verb, rest);
    }
    let typed = read(rest)?;
    let id = &typed.id;
    let result = match (verb.as_str(), &typed.upper, &typed.user, typed.paths.as_slice()) {
        ("prepare", Some(upper), None, []) => prepare(upper, typed.run),
        ("own", None, Some(user), paths @ [_, ..]) => overlay_dirs::own(&root(id, typed.session.as_ref()), user, paths),
        ("reset", None, None, []) => clear(id, Clearing::Reset, typed.run),
        ("remove", None, None, []) => clear(id, Clearing::Remove, typed.run),
        _ => return Err(USAGE.to_owned()),
    };
    Ok(result.map_or_else(|error| failed(id, verb, &error), |()| Exit::Success))
}

/// What units of overlays over the host ask for.
fn host(verb: &str, rest: &[String]) -> Result<Exit, String> {
    let name = || match rest {
        [name] => OverlayName::parse(name),
        _ => Err(USAGE.to_owned()),
    };
    let journal = journal();
    Ok(match verb {
        "up" => service::up(&name()?, &journal),
        "down" => service::down(&name()?, &journal),
        "declare" => service::declare(&Spec::from_words(rest)?, &journal),
        "recover" if rest.is_empty() => service::recover(&journal),
        _ => return Err(USAGE.to_owned()),
    })
}

fn read(rest: &[String]) -> Result<Typed, String> {
    let mut words = Words::new(rest);
    let (id, paths) = words.positional.split_first().ok_or(USAGE)?;
    let paths = paths.iter().map(|path| AbsPath::parse(path)).collect::<Result<Vec<_>, _>>()?;
    let mut typed = Typed { id: AppId::parse(id)?, paths, upper: None, user: None, session: None, run: Run::Really };
    while let Some((option, value)) = words.next_option() {
        match option.as_str() {
            "--upper" => typed.upper = Some(AbsPath::parse(&value?)?),
            "--user" => typed.user = Some(UserName::parse(&value?)?),
            "--session" => typed.session = Some(SessionName::parse(&value?)?),
            "--dry-run" => typed.run = Run::Dry,
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(typed)
}

/// The root of the app, or of one of its sessions.
fn root(id: &AppId, session: Option<&SessionName>) -> String {
    session.map_or_else(|| AppPaths::new(id).root(), |session| SessionPaths::new(id, session).root())
}

fn prepare(upper: &AbsPath, run: Run) -> anyhow::Result<()> {
    match run {
        Run::Really => overlay_dirs::prepare(upper),
        Run::Dry => show(&[format!("make the directories {upper}/upper and {upper}/work")]),
    }
}

fn clear(id: &AppId, clearing: Clearing, run: Run) -> anyhow::Result<()> {
    if run == Run::Dry {
        let planned = overlay_data::plan(id)?;
        return show(&planned.iter().map(|path| format!("delete {path}")).collect::<Vec<_>>());
    }
    let text = match overlay_data::clear(id, clearing)? {
        true => format!("{id}: what it wrote was removed"),
        false => format!("{id}: it has written nothing"),
    };
    Entry::about(Weight::Info, message::OVERLAY_REMOVED, id).say(&journal(), &text);
    Ok(())
}

#[allow(clippy::print_stdout, clippy::unnecessary_wraps, reason = "a dry run is for standard output")]
fn show(steps: &[String]) -> anyhow::Result<()> {
    steps.iter().for_each(|step| println!("{step}"));
    Ok(())
}

fn failed(id: &AppId, verb: &str, error: &anyhow::Error) -> Exit {
    let act = match verb {
        "prepare" => "preparing the writable layer of",
        "own" => "giving directories to the user of",
        _ => "removing what was written by",
    };
    Entry::about(Weight::Error, message::OVERLAY_FAILED, id).say(&journal(), &format!("{act} {id}: {error:#}"));
    Exit::Failure
}

fn journal() -> Journal {
    Journal::open("veneer-overlay", Caller::Environment)
}
