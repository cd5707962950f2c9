//! Makes, removes and reaps sessions: one writable copy of an app's image or root each; run by their units.
//! It decides nothing here: the words go to `session::spec`, the work is done in `host::session`.
//! The command lines are those of docs/sessions.md.

use std::process::ExitCode;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::session::{create, reap, remove};
use veneer::host::terminal;
use veneer::layout::SESSION_DATA;
use veneer::message;
use veneer::name::{AppId, SessionName};
use veneer::path::AbsPath;
use veneer::session::reap::{Fate, Row};
use veneer::session::spec::session;
use veneer::session::{Create, Mark};
use veneer::sysexits::Exit;
use veneer::verity::spec::Words;
use veneer::verity::{Fault, Run};

const NAME: &str = "veneer-clone";
const USAGE: &str = "usage: veneer-clone create ID SESSION --kind KIND (--image PATH | --name NAME --store DIR… | --directory DIR) [OPTION…]
       veneer-clone remove ID SESSION [--dry-run]
       veneer-clone reap [--in DIR…] [--dry-run] [--json=short|pretty]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let exit = match arguments.split_first() {
        Some((verb, rest)) if verb == "create" => make(rest),
        Some((verb, rest)) if verb == "remove" => take_away(rest),
        Some((verb, rest)) if verb == "reap" => clear(rest),
        _ => Err(USAGE.to_owned()),
    };
    let exit = exit.unwrap_or_else(|said| {
        eprintln!("{NAME}: {said}");
        Exit::Usage
    });
    exit.into()
}

fn make(arguments: &[String]) -> Result<Exit, String> {
    let (spec, run) = Create::parse(arguments)?;
    let (id, name) = (&spec.id, &spec.name);
    Ok(match create::run(&spec, run) {
        Ok(None) => Exit::Success,
        Ok(Some(mark)) => {
            let image = Some(mark.source.as_str());
            let entry = Entry::about_session(Weight::Info, message::SESSION_MADE, id, name).image(image);
            entry.root_hash(mark.root_hash.as_deref()).say(&journal(), &told(&mark));
            Exit::Success
        }
        Err(error) => {
            let text = format!("making the session {name} of {id}: {error:#}");
            Entry::about_session(Weight::Error, message::SESSION_FAILED, id, name).say(&journal(), &text);
            exit(&error)
        }
    })
}

fn told(mark: &Mark) -> String {
    let Mark { app, session, kind, method, why, source, .. } = mark;
    match kind == method {
        true => format!("session {session} of {app}: an {kind} over {source} ({why})"),
        false => format!("session {session} of {app}: {kind} of {source}, by {method} ({why})"),
    }
}

fn take_away(arguments: &[String]) -> Result<Exit, String> {
    let mut words = Words::new(arguments);
    let (id, name) = session(&words)?;
    let mut run = Run::Really;
    while let Some((option, _)) = words.next_option() {
        match option.as_str() {
            "--dry-run" => run = Run::Dry,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let result = match run {
        Run::Really => remove::remove(&id, &name).map(drop),
        Run::Dry => remove::plan(&id, &name).and_then(|paths| print(paths.iter().map(|path| format!("delete {path}")))),
    };
    Ok(result.map_or_else(|error| failed(&id, &name, &error), |()| Exit::Success))
}

fn failed(id: &AppId, name: &SessionName, error: &anyhow::Error) -> Exit {
    let text = format!("removing the session {name} of {id}: {error:#}");
    Entry::about_session(Weight::Error, message::SESSION_REMOVED, id, name).say(&journal(), &text);
    exit(error)
}

fn clear(arguments: &[String]) -> Result<Exit, String> {
    let (mut words, mut run, mut directories) = (Words::new(arguments), Run::Really, Vec::new());
    let mut shown = Shown::ByDryRun;
    if !words.positional.is_empty() {
        return Err(USAGE.to_owned());
    }
    while let Some((option, value)) = words.next_option() {
        match option.as_str() {
            "--dry-run" => run = Run::Dry,
            "--json" => shown = json(&value?)?,
            "--in" => directories.push(AbsPath::parse(&value?)?),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if directories.is_empty() {
        directories.push(AbsPath::parse(SESSION_DATA)?);
    }
    Ok(match reap::plan(&directories) {
        Ok(fates) => match (show(&fates, shown, run), run) {
            (Err(_), _) => Exit::Failure,
            (Ok(()), Run::Dry) => Exit::Success,
            (Ok(()), Run::Really) => carry_out(&fates, &directories),
        },
        Err(error) => {
            let text = format!("looking for what is left of sessions: {error:#}; nothing is removed");
            Entry::about_image(Weight::Error, message::SESSION_REMOVED, None).say(&journal(), &text);
            exit(&error)
        }
    })
}

/// Whether standard output says what was decided, and how.
#[derive(Clone, Copy)]
enum Shown {
    /// In words, by a dry run alone.
    ByDryRun,
    /// For programs, in one line.
    AsJson,
    /// For programs, in many.
    AsPrettyJson,
}

fn json(format: &str) -> Result<Shown, String> {
    match format {
        "short" => Ok(Shown::AsJson),
        "pretty" => Ok(Shown::AsPrettyJson),
        _ => Err(USAGE.to_owned()),
    }
}

/// What was decided, before any of it is done.
fn show(fates: &[Fate], shown: Shown, run: Run) -> anyhow::Result<()> {
    let rows: Vec<Row> = fates.iter().map(Row::from).collect();
    match (shown, run) {
        (Shown::AsJson, _) => print([serde_json::to_string(&rows)?].into_iter()),
        (Shown::AsPrettyJson, _) => print([serde_json::to_string_pretty(&rows)?].into_iter()),
        (Shown::ByDryRun, Run::Dry) => print(fates.iter().map(ToString::to_string)),
        (Shown::ByDryRun, Run::Really) => Ok(()),
    }
}

/// One that cannot be removed does not stop the rest.
fn carry_out(fates: &[Fate], directories: &[AbsPath]) -> Exit {
    let (journal, mut worst) = (journal(), Exit::Success);
    for fate in fates {
        match fate {
            Fate::Remove(id, name) => match reap::remove(id, name, directories) {
                Ok(true) => {
                    let text = format!("removed what was left of the session {name} of {id}");
                    Entry::about_session(Weight::Info, message::SESSION_REMOVED, id, name).say(&journal, &text);
                }
                Ok(false) => {}
                Err(error) => worst = failed(id, name, &error),
            },
            Fate::Keep(..) => {}
            Fate::Leave(path, why) => {
                let text = format!("{path} lies where sessions are kept and is none: {why}; it is left alone");
                Entry::about_image(Weight::Warning, message::SESSION_REMOVED, None).say(&journal, &text);
            }
        }
    }
    worst
}

fn print(lines: impl Iterator<Item = String>) -> anyhow::Result<()> {
    terminal::print(&lines.map(|line| line + "\n").collect::<String>())
}

fn exit(error: &anyhow::Error) -> Exit {
    Fault::of(error).map_or(Exit::Failure, |fault| fault.exit)
}

fn journal() -> Journal {
    Journal::open(NAME, Caller::Environment)
}
