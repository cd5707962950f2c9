//! `veneer overlay list` and `history`: overlays and their versions on lines.
//! It asks no systemd: the records and the kernel's mounts say all.
//! Field names are part of the interface, see `json`.

use super::context::Context;
use super::json;
use super::overlay_args::{OverlayHistory, OverlayList};
use super::style::Style;
use super::table::{Cell, lay_out};
use super::time::{bytes, date, span};
use crate::host::clock;
use crate::host::overlay::measure::{Look, Room, State};
use crate::host::overlay::owner;
use crate::host::overlay::registry::Registry;
use crate::overlay::Record;
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// One overlay as programs get it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    state: &'static str,
    reason: Option<String>,
    source: String,
    target: String,
    owner: u32,
    user: String,
    since: u64,
    mode: &'static str,
    lifetime: &'static str,
    size: Option<u64>,
    used: Option<u64>,
    left: Option<u64>,
    version: u32,
    description: Option<String>,
}

pub(super) fn list(context: &Context, args: &OverlayList) -> Result<String> {
    let owner = args.owner.as_deref().map(owner::number).transpose()?;
    let (registry, look) = (Registry::read()?, Look::now()?);
    let wanted = registry.iter().filter(|record| owner.is_none_or(|owner| owner == record.owner));
    let mut users = BTreeMap::new();
    let mut user = |uid| users.entry(uid).or_insert_with(|| owner::name(uid)).clone();
    let rows: Vec<Row> = wanted.map(|record| row(record, &look, user(record.owner))).collect();
    match args.output.json() {
        Some(format) => json::print(&rows, format),
        None if rows.is_empty() => Ok("no overlay lies over this host\n".into()),
        None => Ok(render(context, &rows)),
    }
}

fn row(record: &Record, look: &Look, user: String) -> Row {
    let state = look.state(record);
    let room: Option<Room> = look.room(record).filter(|_| state == State::Active);
    Row {
        name: record.name.to_string(),
        state: state.name(),
        reason: match state {
            State::Held(why) => Some(why),
            _ => None,
        },
        source: record.version().map(|version| version.source.from.clone()).unwrap_or_default(),
        target: record.target.to_string(),
        owner: record.owner,
        user,
        since: record.created,
        mode: record.mode.name(),
        lifetime: record.lifetime.name(),
        size: (record.mode == crate::overlay::record::Mode::Writable).then_some(record.size),
        used: room.map(|room| room.used),
        left: room.map(|room| room.left),
        version: record.current,
        description: record.description.clone(),
    }
}

fn render(context: &Context, rows: &[Row]) -> String {
    let now = clock::now();
    let amount = |amount: Option<u64>| amount.map_or("-".to_owned(), bytes);
    let cells: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            let style = match row.state {
                "active" => Style::Good,
                "stopped" => Style::Faint,
                _ => Style::Warning,
            };
            vec![
                Cell::new(row.name.as_str(), style),
                Cell::new(row.state, style),
                row.target.as_str().into(),
                row.source.as_str().into(),
                row.user.as_str().into(),
                row.mode.into(),
                row.lifetime.into(),
                span(now.saturating_sub(row.since)).into(),
                amount(row.used).into(),
                amount(row.left).into(),
                row.description.as_deref().unwrap_or_default().into(),
            ]
        })
        .collect();
    let headings =
        ["NAME", "STATE", "TARGET", "SOURCE", "OWNER", "MODE", "LIFETIME", "AGE", "WRITTEN", "LEFT", "DESCRIPTION"];
    let held = rows.iter().filter_map(|row| Some(format!("\n{} is held: {}\n", row.name, row.reason.as_ref()?)));
    lay_out(&headings, &cells, context.terminal) + &held.collect::<String>()
}

/// One version as programs get it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct VersionRow {
    version: u32,
    in_use: bool,
    by: &'static str,
    made: u64,
    source: String,
    source_bytes: u64,
    committed: Vec<String>,
}

pub(super) fn history(context: &Context, record: &Record, args: &OverlayHistory) -> Result<String> {
    let rows: Vec<VersionRow> = record
        .versions
        .iter()
        .rev()
        .map(|version| VersionRow {
            version: version.number,
            in_use: version.number == record.current,
            by: version.by.name(),
            made: version.made,
            source: version.source.from.clone(),
            source_bytes: version.source.bytes,
            committed: version.committed.clone(),
        })
        .collect();
    if let Some(format) = args.output.json() {
        return json::print(&rows, format);
    }
    let cells: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            let style = if row.in_use { Style::Good } else { Style::Plain };
            vec![
                Cell::new(row.version.to_string(), style),
                Cell::new(if row.in_use { "in use" } else { "-" }, style),
                row.by.into(),
                date(row.made).into(),
                row.source.as_str().into(),
                bytes(row.source_bytes).into(),
                row.committed.join(" ").into(),
            ]
        })
        .collect();
    let headings = ["VERSION", "STATE", "BY", "MADE", "SOURCE", "SIZE", "COMMITTED"];
    Ok(lay_out(&headings, &cells, context.terminal))
}
