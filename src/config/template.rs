//! Templates and layers: which files make up an app, and which of them gave each value.
//! It checks no value but `extends` and `reset`.
//! The order is veneer.app(5)'s: the template's templates, the template, the app's file, its drop-ins.

use super::app::known;
use super::merge::{merge, reset};
use super::node::{At, Kind, Table, parse};
use super::report::{Key, Report, did_you_mean};
use super::settings::Host;
use super::text::{AppText, ConfigText, File};
use crate::problem::{Place, Problem};
use std::collections::BTreeMap;

/// Every template, parsed once.
#[derive(Debug, Default)]
pub(super) struct Templates<'a> {
    by_name: BTreeMap<&'a str, (&'a File, Result<Table<'a>, Problem>)>,
}

impl<'a> Templates<'a> {
    pub(super) fn parse(text: &'a ConfigText) -> Self {
        Self { by_name: text.templates.iter().map(|(name, file)| (&**name, (file, parse(file)))).collect() }
    }
}

/// Puts the files of an app over one another; `None` if one of them cannot be read at all.
pub(super) fn merged<'a>(app: &'a AppText, host: &'a Host<'_>, report: &mut Report) -> Option<Table<'a>> {
    let mut layers = Vec::with_capacity(1 + app.drop_ins.len());
    for file in std::iter::once(&app.file).chain(&app.drop_ins) {
        match parse(file) {
            Ok(layer) => layers.push(layer),
            Err(problem) => report.push(problem),
        }
    }
    if report.has_errors() {
        return None;
    }
    let mut table = Table::new();
    for mut layer in templates(&layers, host, report)?.into_iter().rev().chain(layers) {
        if table.is_empty() && !layer.iter().any(|entry| entry.key == "reset") {
            table = layer;
            continue;
        }
        reset(&mut table, &mut layer, report, known);
        merge(&mut table, layer);
    }
    Some(table)
}

/// The templates that these layers extend, the nearest first; `None` if one is missing or broken.
fn templates<'a>(layers: &[Table<'a>], host: &'a Host<'_>, report: &mut Report) -> Option<Vec<Table<'a>>> {
    let mut chain: Vec<(&str, Table<'a>)> = Vec::new();
    let mut next = layers.iter().rev().find_map(extends);
    while let Some((at, name)) = next {
        if chain.iter().any(|(seen, _)| *seen == name) {
            report.error(at, EXTENDS, format!("the template {name:?} extends itself: {}", round(&chain, &name)));
            return None;
        }
        let Some((known, (file, parsed))) = host.templates.by_name.get_key_value(&*name) else {
            report.error(at, EXTENDS, unknown(host, &name));
            return None;
        };
        if file.is_mask() {
            report.error(at, EXTENDS, format!("the template {name:?} is masked by {}", file.path));
            return None;
        }
        match parsed {
            Ok(table) => {
                next = extends(table);
                chain.push((known, table.clone()));
            }
            Err(problem) => {
                report.push(problem.clone());
                return None;
            }
        }
    }
    Some(chain.into_iter().map(|(_, table)| table).collect())
}

const EXTENDS: Key<'static> = Key::of("app", "extends");

fn round(chain: &[(&str, Table<'_>)], name: &str) -> String {
    let from = chain.iter().position(|(seen, _)| *seen == name).unwrap_or(0);
    let names: Vec<&str> = chain[from..].iter().map(|(seen, _)| *seen).chain([name]).collect();
    names.join(" -> ")
}

fn unknown(host: &Host<'_>, name: &str) -> String {
    let near = did_you_mean(name, host.templates.by_name.keys().copied());
    if near.is_empty() {
        format!("there is no templates.d/{name}.toml in any configuration directory")
    } else {
        format!("there is no template {name:?}{near}")
    }
}

/// What a layer extends. A value of the wrong type is reported when the merged table is read.
fn extends<'a>(table: &Table<'a>) -> Option<(At<'a>, std::borrow::Cow<'a, str>)> {
    let app = table.iter().find(|entry| entry.key == "app")?;
    let Kind::Table(app) = &app.value.kind else { return None };
    let extends = app.iter().find(|entry| entry.key == "extends")?;
    let Kind::Text(name) = &extends.value.kind else { return None };
    Some((extends.value.at, name.clone()))
}

/// Where a value of an app comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The key in full (`service.exec`).
    pub key: String,
    /// The value in TOML, on one line.
    pub value: String,
    /// The file that gave it.
    pub file: String,
    /// Where in it the value stands.
    pub place: Place,
}

/// Each key of an app with its value and where that was written, in the order of the merged file.
/// Empty if a file of it cannot be parsed: `load_app` says why.
pub fn origins(app: &AppText, host: &Host<'_>) -> Vec<Origin> {
    let mut origins = Vec::new();
    if let Some(table) = merged(app, host, &mut Report::default()) {
        collect("", &table, &mut origins);
    }
    origins
}

fn collect(prefix: &str, table: &Table<'_>, origins: &mut Vec<Origin>) {
    for entry in table {
        let key = if prefix.is_empty() { entry.key.to_string() } else { format!("{prefix}.{}", entry.key) };
        if let Kind::Table(inner) = &entry.value.kind {
            collect(&key, inner, origins);
            continue;
        }
        let mut value = String::new();
        entry.value.kind.show(&mut value);
        let at = entry.value.at;
        origins.push(Origin { key, value, file: at.file.path.clone().into(), place: at.place() });
    }
}
