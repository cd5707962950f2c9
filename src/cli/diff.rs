//! `veneer diff`: what a reload would add, change and remove, as a diff.
//! It reads what the generator wrote last and what it would write now; nothing is written.

use super::args::Diff;
use super::changes::{Change, Kind, changes};
use super::context::Context;
use super::json;
use super::style::Style;
use crate::generate;
use crate::host::below_root;
use crate::host::terminal::Colour;
use crate::layout::GENERATOR_DIR;
use anyhow::Result;
use serde::Serialize;

pub(super) fn run(context: &Context, args: &Diff) -> Result<String> {
    let changes = pending(context)?;
    match args.output.json() {
        Some(format) => json::print(&changes.iter().map(Row::from).collect::<Vec<_>>(), format),
        None => Ok(changes.iter().map(|change| paint(&change.diff, context.terminal.colour)).collect()),
    }
}

/// What a reload would change.
pub(super) fn pending(context: &Context) -> Result<Vec<Change>> {
    let wanted = generate::all(&context.config(), &context.live()).units;
    Ok(changes(&below_root::unit_dir(&context.at(GENERATOR_DIR))?, &wanted))
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    path: String,
    change: &'static str,
    diff: &'a str,
}

impl<'a> From<&'a Change> for Row<'a> {
    fn from(change: &'a Change) -> Self {
        let path = format!("{GENERATOR_DIR}/{}", change.path);
        Self { path, change: change.kind.name(), diff: &change.diff }
    }
}

fn paint(diff: &str, colour: Colour) -> String {
    let style = |line: &str| match line.as_bytes().first() {
        _ if line.starts_with("--- ") || line.starts_with("+++ ") => Style::Bold,
        Some(b'+') => Style::Good,
        Some(b'-') => Style::Bad,
        Some(b'@') => Style::Faint,
        _ => Style::Plain,
    };
    diff.lines().map(|line| style(line).paint(colour, line) + "\n").collect()
}

/// `2 files added, 1 changed`, or that there is nothing to do.
pub(super) fn summary(changes: &[Change]) -> String {
    let count = |kind| changes.iter().filter(|change| change.kind == kind).count();
    let counts = [Kind::Added, Kind::Changed, Kind::Removed].map(|kind| (count(kind), kind.name()));
    let parts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if parts.is_empty() { "no unit changes".into() } else { format!("unit files: {}", parts.join(", ")) }
}
