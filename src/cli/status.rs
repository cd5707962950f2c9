//! `veneer status`: what an app runs from, whether it was verified, and how each unit of its chain stands.
//! It gathers: systemd's states in one call, the live marks, what is mounted; `status_text` shows.
//! Nothing is changed, and no image is read.

use super::apps::{Standing, View, source, state, trust, views};
use super::args::Status as Args;
use super::context::{Context, unit_patterns, unknown};
use super::json::{self, ProblemRow};
use super::mountinfo::{self, Mount};
use super::show::States;
use super::stale;
use super::status_text::{Part, Status, UnitStatus, VersionStatus, render};
use super::unit_files::present;
use crate::host::below_root;
use crate::host::clock::now;
use crate::host::device_mapper::DeviceMapper;
use crate::host::store::{StoreDir, read_versions};
use crate::host::terminal::print;
use crate::layout::GENERATOR_DIR;
use crate::live::{LiveMark, LiveSource};
use crate::message;
use crate::name::AppId;
use crate::plan::Names;
use crate::problem::Problem;
use crate::store::Store;
use crate::version::standings;
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Lines of a failed unit's journal.
const LINES: usize = 5;
/// What a dm-verity device says of itself once a block did not fit (drivers/md/dm-verity-target.c, `verity_status`).
const CORRUPT: char = 'C';
/// systemctl(1): "the unit is not active", as `systemctl status` ends.
const NOT_ACTIVE: u8 = 3;

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let statuses = gather(context, &args.ids)?;
    let text = match args.output.json() {
        Some(format) => json::print(&statuses.iter().map(Row::from).collect::<Vec<_>>(), format)?,
        None if statuses.is_empty() => "no app is up, and none has failed; veneer list shows all\n".into(),
        None => {
            let shown = statuses.iter().map(|status| render(status, now(), context.terminal.colour));
            shown.collect::<Vec<_>>().join("\n")
        }
    };
    print(&text)?;
    let down = !args.ids.is_empty() && statuses.iter().any(|status| matches!(&*status.state, "failed" | "inactive"));
    Ok(if down { ExitCode::from(NOT_ACTIVE) } else { ExitCode::SUCCESS })
}

/// The apps that were asked for; of all, those that are up or have failed.
fn gather(context: &Context, ids: &[String]) -> Result<Vec<Status>> {
    let (config, marks) = (context.config(), context.marks());
    let views = views(&config, marks.iter().map(|mark| &mark.id));
    if let Some(id) = ids.iter().find(|id| views.iter().all(|view| view.id.as_str() != **id)) {
        return Err(unknown(&config, id));
    }
    let world = World {
        context,
        states: context.states(&unit_patterns())?,
        mounts: below_root::read(&context.at("/proc/self/mountinfo"))?.map(|text| mountinfo::parse(&text)),
        marks,
        store: read_versions(&StoreDir::below(&context.root)).store,
    };
    let wanted = views.iter().filter(|view| ids.is_empty() || ids.iter().any(|id| view.id.as_str() == id));
    let mut statuses: Vec<Status> = wanted.map(|view| world.status(view)).collect();
    statuses.retain(|status| !ids.is_empty() || status.state != "inactive" || status.mark.is_some());
    Ok(statuses)
}

/// What is looked at.
struct World<'a> {
    context: &'a Context,
    states: States,
    mounts: Option<BTreeMap<String, Mount>>,
    marks: Vec<LiveMark>,
    /// The versions of apps; of one that cannot be read nothing is shown, doctor and prune say why.
    store: Store,
}

impl World<'_> {
    fn status(&self, view: &View) -> Status {
        let names = Names::new(&view.id);
        let mark = self.marks.iter().find(|mark| mark.id == view.id).cloned();
        let dir = self.context.at(GENERATOR_DIR);
        let present = present(&names, |path| below_root::exists(&dir.join(path)));
        let units: Vec<UnitStatus> =
            present.iter().map(|unit| self.unit(unit.as_str(), &names, mark.as_ref())).collect();
        Status {
            id: view.id.to_string(),
            description: view.description().to_owned(),
            state: state(&names, &self.states).to_owned(),
            configuration: Some(view.standing.name()).filter(|_| view.standing != Standing::Good),
            files: view.files.clone(),
            problems: view.problems.clone(),
            wanted: view.app.as_ref().map(|app| (source(app), trust(app))),
            stale: mark.as_ref().map(|mark| stale::of(self.context, view, mark)).unwrap_or_default(),
            damage: mark.as_ref().map(|mark| self.damage(mark)).unwrap_or_default(),
            journal: self.journal(&units, &view.problems),
            versions: self.versions(&view.id),
            mark,
            units,
        }
    }

    fn versions(&self, id: &AppId) -> Vec<VersionStatus> {
        let Some(app) = self.store.apps.iter().find(|app| app.app == *id) else { return Vec::new() };
        let all = standings(app, self.store.notes.histories.get(id.as_str())).into_iter();
        // `standings` goes the other way round through the same versions.
        let both = all.zip(app.versions.iter().rev());
        both.map(|((version, standing), of_store)| VersionStatus {
            version,
            image: of_store.image.to_string(),
            standing,
        })
        .collect()
    }

    fn unit(&self, unit: &str, names: &Names, mark: Option<&LiveMark>) -> UnitStatus {
        let paths = &names.paths;
        let parts = [
            (&names.app, Part::Service, None),
            (&names.root, Part::Root, Some(paths.root())),
            (&names.overlay, Part::Overlay, None),
            (&names.rw, Part::Rw, Some(paths.rw())),
            (&names.image, Part::Image, Some(paths.image())),
            (&names.verity, Part::Verity, None),
            (&names.convert, Part::Convert, None),
            (&names.pull, Part::Pull, None),
            (&names.socket, Part::Socket, None),
            (&names.timer, Part::Timer, None),
        ];
        let part = parts.into_iter().find(|(name, ..)| name.as_str() == unit);
        let (part, place) = part.map_or((Part::Service, None), |(_, part, place)| (part, place));
        let mount = place.and_then(|place| self.mounts.as_ref()?.get(&place).cloned());
        let device = mark.filter(|_| part == Part::Verity).map(|mark| self.device(mark));
        UnitStatus { unit: unit.to_owned(), part, state: self.states.of(unit).clone(), mount, device }
    }

    /// The device of a live image, by the name that the kernel has for it now; or why there is none.
    fn device(&self, mark: &LiveMark) -> String {
        let image = match &mark.source {
            LiveSource::Directory(_) => return "the directory is there".into(),
            LiveSource::Fallback { .. } => return "no image, so no device".into(),
            LiveSource::Image(image) => image,
        };
        let number = image.device.strip_prefix("/dev/").unwrap_or(&image.device);
        let path = self.context.at(&format!("/sys/block/{number}/dm/name"));
        match below_root::read(&path).ok().flatten() {
            Some(name) => format!("device {number} ({})", name.trim_end()),
            None => format!("device {number}"),
        }
    }

    /// What the kernel found damaged while the app ran: the journal names the blocks, the device only says that.
    fn damage(&self, mark: &LiveMark) -> Vec<String> {
        let LiveSource::Image(image) = &mark.source else { return Vec::new() };
        let Some((systemd, name)) = self.context.systemd.zip(image.dm_name.as_ref()) else { return Vec::new() };
        // Who may not read the journal may not ask the device either, and is told of no damage; ignoring.
        let said = systemd.messages(message::CORRUPTED, &mark.id, mark.since, LINES).unwrap_or_default();
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        let state = DeviceMapper::open().and_then(|mapper| mapper.status(name)).unwrap_or_default();
        if lines.is_empty() && state.trim_start().starts_with(CORRUPT) {
            lines.push(format!("the kernel found damaged blocks in {}", image.file.path));
        }
        lines
    }

    /// What units that failed said last, but for Problems that are shown anyway.
    fn journal(&self, units: &[UnitStatus], problems: &[Problem]) -> Vec<(String, Vec<String>)> {
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let failed = units.iter().filter(|unit| unit.state.active() == "failed");
        let said = failed.filter_map(|unit| Some((unit.unit.clone(), self.last_errors(unit)?)));
        let new = said.map(|(unit, lines)| (unit, lines.into_iter().filter(|line| !shown.contains(line)).collect()));
        new.filter(|(_, lines): &(String, Vec<String>)| !lines.is_empty()).collect()
    }

    fn last_errors(&self, unit: &UnitStatus) -> Option<Vec<String>> {
        let (invocation, since) = (unit.state.get("InvocationID"), unit.state.time("ExecMainStartTimestamp"));
        let said = self.context.systemd?.last_errors(&unit.unit, invocation, since, LINES);
        // Not everybody may read the journal; the rest is worth showing all the same.
        let said = said.unwrap_or_else(|error| format!("(its journal cannot be shown: {error:#})"));
        Some(said.lines().map(str::to_owned).collect())
    }
}

/// One app for programs.
#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    description: &'a str,
    state: &'a str,
    configuration: &'static str,
    files: &'a [String],
    problems: Vec<ProblemRow<'a>>,
    require: Option<&'static str>,
    source: Option<String>,
    shown: Option<&'static str>,
    root_hash: Option<String>,
    device: Option<String>,
    stale: &'a [String],
    damage: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    versions: &'a [VersionStatus],
    units: Vec<UnitRow<'a>>,
}

#[derive(Debug, Serialize)]
struct UnitRow<'a> {
    unit: &'a str,
    active: &'a str,
    sub: &'a str,
    result: &'a str,
    since: Option<u64>,
    mount: Option<&'a str>,
}

impl<'a> From<&'a Status> for Row<'a> {
    fn from(status: &'a Status) -> Self {
        let source = status.mark.as_ref().map(|mark| &mark.source);
        let image = match source {
            Some(LiveSource::Image(image)) => Some(image),
            _ => None,
        };
        let path = source.map(|source| match source {
            LiveSource::Directory(path) | LiveSource::Fallback { directory: path, .. } => path.clone(),
            LiveSource::Image(image) => image.file.path.clone(),
        });
        let unit = |unit: &'a UnitStatus| UnitRow {
            unit: &unit.unit,
            active: unit.state.active(),
            sub: unit.state.get("SubState"),
            result: unit.state.get("Result"),
            since: unit.state.since(),
            mount: unit.mount.as_ref().map(|mount| mount.kind.as_str()),
        };
        Self {
            id: &status.id,
            description: &status.description,
            state: &status.state,
            configuration: status.configuration.unwrap_or("good"),
            files: &status.files,
            problems: status.problems.iter().map(ProblemRow::from).collect(),
            require: status.wanted.as_ref().map(|(_, require)| *require),
            source: path.or_else(|| status.wanted.as_ref().map(|(source, _)| source.clone())),
            shown: image.map(|image| image.shown.name()),
            root_hash: image.and_then(|image| image.shown.root_hash()).map(ToString::to_string),
            device: image.map(|image| image.device.clone()),
            stale: &status.stale,
            damage: &status.damage,
            versions: &status.versions,
            units: status.units.iter().map(unit).collect(),
        }
    }
}
