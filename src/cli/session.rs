//! `veneer session`: sessions started, listed, shown, stopped, and what is left of crashed ones reaped.
//! It makes and removes none itself: their units do, and `veneer-clone`. Names are drawn here if none is given.
//! What a session is: docs/sessions.md.

use super::args::{Json, SessionCreate, SessionGc, SessionInspect, SessionList, SessionRemove, SessionVerb};
use super::context::{Context, find};
use super::fault::fault;
use super::json;
use super::session_text::{Planned, Row, render, render_one};
use super::show::States;
use crate::config::{Host, load_app};
use crate::host::image_look::become_helper;
use crate::host::session::marks::{self, Place};
use crate::host::session::{reap, remove};
use crate::host::terminal::print;
use crate::layout::SESSION_DATA;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;
use crate::session::reap::Fate;
use crate::sysexits::Exit;
use anyhow::{Context as _, Result};
use serde::Serialize;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// More names on one command line of systemctl than this could be too long for it.
const AT_ONCE: usize = 256;

pub(super) fn run(context: &Context, verb: &SessionVerb) -> Result<ExitCode> {
    if context.root != Path::new("/") {
        return Err(fault(Exit::Usage, "sessions are of the running system: session takes no --root"));
    }
    let text = match verb {
        SessionVerb::Create(args) => create(context, args)?,
        SessionVerb::List(args) => list(context, args)?,
        SessionVerb::Inspect(args) => inspect(context, args)?,
        SessionVerb::Remove(args) => removed(context, args)?,
        SessionVerb::Gc(args) => return Err(collect(context, args)),
    };
    print(&text).map(|()| ExitCode::SUCCESS)
}

fn create(context: &Context, args: &SessionCreate) -> Result<String> {
    let id = app_with_sessions(context, &args.id)?;
    let names = match &args.name {
        Some(name) => vec![self::name(name)?],
        None => (0..args.count).map(|_| drawn()).collect::<Result<_>>()?,
    };
    let template = if args.run { "app-session" } else { "veneer-clone" };
    let units: Vec<String> = names.iter().map(|name| format!("{template}-{id}@{name}.service")).collect();
    if args.dry.dry_run {
        return planned(&id, &names, &units, args);
    }
    start(context, args, &id, &units)?;
    let states = states(context)?;
    let places = names.into_iter().map(|name| Place { mark: marks::read(&id, &name), id: id.clone(), name });
    let rows: Vec<Row> = places.map(|place| Row::new(&place, &states)).collect();
    let (made, failed): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| args.run || row.is_made());
    let text = match args.output.json() {
        Some(format) => json::print(&made, format)?,
        None => made.iter().map(Row::made).collect(),
    };
    let Some(first) = failed.first() else { return Ok(text) };
    // Those that were made are there, under names that nobody else knows.
    print(&text)?;
    let (count, all) = (failed.len(), units.len());
    let why =
        format!("{count} of {all} sessions could not be made; the journal says why: journalctl -u {}", first.unit);
    Err(fault(Exit::Failure, why))
}

/// Has systemd start the units; of many copies, some may not be up afterwards.
fn start(context: &Context, args: &SessionCreate, id: &AppId, units: &[String]) -> Result<()> {
    let systemd = context.need_systemd("session create")?;
    for some in units.chunks(AT_ONCE) {
        match some {
            [_, _, ..] if !args.run => systemd.start_together(some, &format!("Making sessions of {id}"))?,
            // An app in a session may be through when its start is: only systemctl knows that it has not failed.
            some => systemd.act(&words("start", some)).with_context(|| {
                format!("the journal says why: journalctl -u {}", some.first().map_or("", String::as_str))
            })?,
        }
    }
    Ok(())
}

/// The words of systemctl for it.
fn words<'a>(verb: &'a str, units: &'a [String]) -> Vec<&'a str> {
    [verb, "--"].into_iter().chain(units.iter().map(String::as_str)).collect()
}

/// What would be started.
fn planned(id: &AppId, names: &[SessionName], units: &[String], args: &SessionCreate) -> Result<String> {
    let (app, started) = (id.to_string(), names.iter().zip(units));
    let planned: Vec<Planned> = started
        .map(|(name, unit)| Planned { app: app.clone(), session: name.to_string(), unit: unit.clone() })
        .collect();
    match args.output.json() {
        Some(format) => json::print(&planned, format),
        None => Ok(planned.iter().map(|one| format!("systemctl start {}\n", one.unit)).collect()),
    }
}

/// The app, if its file asks for sessions; systemd may not have read it yet, which its own error says.
fn app_with_sessions(context: &Context, id: &str) -> Result<AppId> {
    let config = context.config();
    let text = find(&config, id)?;
    let (host, _) = Host::load(&config);
    match load_app(text, &host) {
        Ok(loaded) if loaded.app.sessions.is_some() => Ok(loaded.app.id),
        Ok(_) => Err(fault(Exit::Config, format!("{id} has no sessions: its file has no [session]"))),
        Err(_) => Err(fault(Exit::Config, format!("the file of {id} is broken: veneer check says where"))),
    }
}

fn drawn() -> Result<SessionName> {
    let mut number = [0; 8];
    rustix::rand::getrandom(&mut number, rustix::rand::GetRandomFlags::empty()).context("drawing a name")?;
    Ok(SessionName::generated(u64::from_ne_bytes(number)))
}

fn name(text: &str) -> Result<SessionName> {
    SessionName::parse(text).map_err(|said| fault(Exit::Usage, said))
}

fn id(text: &str) -> Result<AppId> {
    AppId::parse(text).map_err(|said| fault(Exit::Usage, said))
}

fn states(context: &Context) -> Result<States> {
    let Some(systemd) = context.systemd else { return Ok(States::default()) };
    let json = systemd.list_units(&["veneer-clone-*@*.service", "app-session-*@*.service"])?;
    States::parse_list(&json).context("reading what systemctl list-units says")
}

fn list(context: &Context, args: &SessionList) -> Result<String> {
    let only = args.id.as_deref().map(id).transpose()?;
    let states = states(context)?;
    let places = marks::read_all()?.into_iter().filter(|place| only.as_ref().is_none_or(|id| *id == place.id));
    let rows: Vec<Row> = places.map(|place| Row::new(&place, &states)).collect();
    match args.output.json() {
        Some(format) => json::print(&rows, format),
        None => Ok(render(&rows, context.terminal)),
    }
}

fn inspect(context: &Context, args: &SessionInspect) -> Result<String> {
    let (id, name) = (id(&args.id)?, name(&args.name)?);
    let found = marks::read_all()?.into_iter().find(|place| place.id == id && place.name == name);
    let place = found.ok_or_else(|| fault(Exit::NoInput, format!("there is no session {name} of {id}")))?;
    let row = Row::new(&place, &states(context)?);
    match args.output.json() {
        Some(format) => json::print(&row, format),
        None => Ok(render_one(&row, place.mark.as_ref())),
    }
}

fn removed(context: &Context, args: &SessionRemove) -> Result<String> {
    let id = id(&args.id)?;
    let typed = args.names.iter().map(|text| name(text)).collect::<Result<Vec<_>>>()?;
    let places = marks::read_all()?.into_iter().filter(|place| place.id == id).map(|place| place.name);
    let there: Vec<SessionName> = places.collect();
    if let Some(missing) = typed.iter().find(|name| !there.contains(name)) {
        return Err(fault(Exit::NoInput, format!("there is no session {missing} of {id}")));
    }
    let names = if args.all { there } else { typed };
    let rows: Vec<Removed<'_>> =
        names.iter().map(|name| Removed { app: id.as_str(), session: name.as_str() }).collect();
    match (args.output.json(), args.dry.dry_run) {
        (Some(format), true) => json::print(&rows, format),
        (None, true) => dry(&id, &names),
        (format, false) => {
            stop(context, &id, &names)?;
            format.map_or(Ok(String::new()), |format| json::print(&rows, format))
        }
    }
}

/// A session that is gone, or would be, as programs get it.
#[derive(Serialize)]
struct Removed<'a> {
    app: &'a str,
    session: &'a str,
}

fn stop(context: &Context, id: &AppId, names: &[SessionName]) -> Result<()> {
    let systemd = context.need_systemd("session remove")?;
    let units: Vec<String> = names.iter().map(|name| format!("veneer-clone-{id}@{name}.service")).collect();
    for some in units.chunks(AT_ONCE) {
        // What is being started right now cannot be conflicted with; systemctl stops it, and says what else is wrong.
        let together = some.len() > 1 && systemd.stop_together(some, &format!("Removing sessions of {id}")).is_ok();
        if !together {
            systemd.act(&words("stop", some))?;
        }
    }
    // What a killed removal left has no unit that is up any more.
    let directories = directories(context)?;
    let left: Vec<Fate> = reap_of(id, names, &directories)?;
    for fate in &left {
        match fate {
            Fate::Remove(id, name) => drop(reap::remove(id, name, &directories)?),
            other => return Err(fault(Exit::Failure, other.to_string())),
        }
    }
    Ok(())
}

fn dry(id: &AppId, names: &[SessionName]) -> Result<String> {
    let mut out = String::new();
    for name in names {
        out.push_str(&format!("systemctl stop veneer-clone-{id}@{name}.service\n"));
        remove::plan(id, name)?.iter().for_each(|path| out.push_str(&format!("delete {path}\n")));
    }
    Ok(out)
}

/// What is left of these, if anything is.
fn reap_of(id: &AppId, names: &[SessionName], directories: &[AbsPath]) -> Result<Vec<Fate>> {
    let there = marks::read_all()?.into_iter().any(|place| place.id == *id && names.contains(&place.name));
    if !there {
        return Ok(Vec::new());
    }
    let of_these = |fate: &Fate| match fate {
        Fate::Remove(app, name) | Fate::Keep(app, name, _) => app == id && names.contains(name),
        Fate::Leave(..) => false,
    };
    Ok(reap::plan(directories)?.into_iter().filter(of_these).collect())
}

/// Where sessions may have written: the default, and what the host's settings say.
fn directories(context: &Context) -> Result<Vec<AbsPath>> {
    let config = context.config();
    let (host, _) = Host::load(&config);
    let default = AbsPath::parse(SESSION_DATA).map_err(anyhow::Error::msg)?;
    let own = Some(host.settings.sessions).filter(|own| *own != default);
    Ok([default].into_iter().chain(own).collect())
}

/// Becomes `veneer-clone reap`; an error if it cannot.
fn collect(context: &Context, args: &SessionGc) -> anyhow::Error {
    let directories = match directories(context) {
        Ok(directories) => directories,
        Err(error) => return error,
    };
    let mut words = vec![OsString::from("reap")];
    words.extend(directories.iter().map(|directory| OsString::from(format!("--in={directory}"))));
    words.extend(args.dry.dry_run.then(|| OsString::from("--dry-run")));
    words.extend(args.output.json().map(|format| match format {
        Json::Short => OsString::from("--json=short"),
        Json::Pretty | Json::Off => OsString::from("--json=pretty"),
    }));
    become_helper("veneer-clone", &words)
}
