//! Reads overlays over the host as they are declared in `overlays.d`, or listed in a batch.
//! Whether source and target are there shows when the overlay is applied.
//! The keys are veneer.overlay(5)'s.

use super::image::foreign_path;
use super::keys::{self, BATCH, HOST_OVERLAY};
use super::merge::{merge, reset};
use super::node::{Kind, Table, parse};
use super::read::{Field, Fields};
use super::report::{Key, Report};
use super::text::{AppText, File};
use crate::overlay::record::{Lifetime, Mode, OnChange};
use crate::overlay::spec::{self, MountOption};
use crate::overlay::{OverlayName, Spec};
use crate::problem::Problem;
use crate::unit::Text;

/// What a file is by what it says, wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// One overlay over the host: an `[overlay]` with what only that has.
    Overlay,
    /// A batch of them: `[[overlay]]`.
    Batch,
    /// Something else, an app's file among it, or what cannot be read.
    Else,
}

/// Looks whether a file is about overlays over the host. An app's `[overlay]` has neither source nor target.
pub fn says(file: &File) -> Says {
    let Ok(table) = parse(file) else { return Says::Else };
    let overlay = table.iter().find(|entry| entry.key == "overlay").map(|entry| &entry.value.kind);
    match overlay {
        Some(Kind::Array(_)) => Says::Batch,
        Some(Kind::Table(keys)) if keys.iter().any(|entry| ["source", "target"].contains(&&*entry.key)) => {
            Says::Overlay
        }
        _ => Says::Else,
    }
}

/// Reads one declared overlay: its file, with its drop-ins over it. The error is everything that is wrong.
pub fn load_overlay(text: &AppText) -> Result<Spec, Vec<Problem>> {
    let mut report = Report::default();
    let mut table = Table::new();
    for file in std::iter::once(&text.file).chain(&text.drop_ins) {
        match parse(file) {
            Ok(mut layer) => {
                reset(&mut table, &mut layer, &mut report, |key| keys::may_reset(HOST_OVERLAY, key));
                merge(&mut table, layer);
            }
            Err(problem) => report.push(problem),
        }
    }
    let section = Fields::top(HOST_OVERLAY, &table, &mut report).section(HOST_OVERLAY, "overlay", &mut report);
    // What the file is called is what an app's may be called, or nobody would have read it; an overlay's is shorter.
    let name = OverlayName::parse(text.id.as_str())
        .map_err(|said| report.missing(None, &text.file, Key::of("", "overlay"), said))
        .ok();
    let spec = if report.has_errors() { None } else { read(section, name, &text.file, &mut report) };
    match spec {
        Some(spec) if !report.has_errors() => Ok(Spec { declared: Some(text.file.path.to_string()), ..spec }),
        _ => Err(report.into_problems()),
    }
}

/// Reads the overlays of a batch. The error is everything that is wrong.
pub fn load_batch(file: &File) -> Result<Vec<Spec>, Vec<Problem>> {
    let table = parse(file).map_err(|problem| vec![problem])?;
    let mut report = Report::default();
    let mut specs: Vec<Spec> = Vec::new();
    let top = Fields::top(BATCH, &table, &mut report);
    let Some(list) = top.get("overlay") else {
        report.missing(None, file, top.key("overlay"), "there is nothing to apply: write [[overlay]]");
        return Err(report.into_problems());
    };
    for node in list.items(&mut report, "tables: write [[overlay]]") {
        let item = Fields::from_field(BATCH, "overlay", list.item(node), &mut report);
        if !item.is_table() {
            continue;
        }
        let name =
            needed(item, "name", file, &mut report).and_then(|field| field.parse(&mut report, OverlayName::parse));
        if let Some(twice) = name.as_ref().filter(|name| specs.iter().any(|other| other.name == **name)) {
            report.error(node.at, item.key("name"), format!("{twice} is there twice"));
        }
        specs.extend(read(item, name, file, &mut report));
    }
    if report.has_errors() { Err(report.into_problems()) } else { Ok(specs) }
}

fn needed<'n, 'a>(
    section: Fields<'n, 'a>,
    name: &'static str,
    file: &File,
    report: &mut Report,
) -> Option<Field<'n, 'a>> {
    let found = section.get(name);
    if found.is_none() && !section.is_broken() {
        report.missing(section.at, file, section.key(name), "is missing");
    }
    found
}

fn read(section: Fields<'_, '_>, name: Option<OverlayName>, file: &File, report: &mut Report) -> Option<Spec> {
    let mut path = |name| needed(section, name, file, report).and_then(|field| field.parse(report, foreign_path));
    let (source, target) = (path("source"), path("target"));
    let mut spec = Spec::new(name?, source?, target?);
    spec.description = section.get("description").and_then(|field| field.parse(report, Text::parse));
    if section.get("mode").and_then(|field| field.choice(report, &["read-only", "writable"])) == Some(1) {
        spec.mode = Mode::Writable;
    }
    if section.get("persistent").and_then(|field| field.boolean(report)) == Some(true) {
        spec.lifetime = Lifetime::Persistent;
    }
    if section.get("base-changed").and_then(|field| field.choice(report, &["warn", "hold"])) == Some(1) {
        spec.base_changed = OnChange::Hold;
    }
    if let Some(size) = section.get("size").and_then(|field| field.parse(report, spec::size)) {
        spec.size = size;
    }
    if let Some(owner) = section.get("owner").and_then(|field| field.scalar(report, "a user's number")) {
        match owner.parse() {
            Ok(number) => spec.owner = number,
            Err(_) => section.get("owner")?.error(report, format!("{owner:?} is not the number of a user")),
        }
    }
    spec.force_target = section.get("force-target").and_then(|field| field.parse(report, foreign_path));
    if let Some(field) = section.get("options") {
        spec.options = field.list(report, MountOption::parse).into_iter().map(|(_, option)| option).collect();
    }
    check(section, &spec, report);
    Some(spec)
}

/// What can be said without a disk.
fn check(section: Fields<'_, '_>, spec: &Spec, report: &mut Report) {
    if let (Err(said), Some(field)) = (spec.check(), section.get("options")) {
        field.error(report, said);
    }
    let forced = spec.force_target.as_ref();
    if let (Err(said), Some(field)) = (crate::overlay::target::check(&spec.target, forced), section.get("target")) {
        field.error(report, in_a_file(&said));
    }
}

/// Where a file is written, the words of a file: a path is in quotes.
fn in_a_file(said: &str) -> String {
    let Some((before, path)) = said.split_once("say --force-target=") else { return said.to_owned() };
    format!("{before}write force-target = {path:?}")
}
