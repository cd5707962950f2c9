//! `veneer overlay diff`: what an overlay changes, for people and for programs.
//! What is found is `host::overlay::diff`'s; here it is laid out.
//! The look is `ostree admin config-diff`'s, with modes and sizes as ls(1) has them.

use super::context::Context;
use super::json;
use super::overlay_args::OverlayDiff;
use super::style::Style;
use super::time::bytes;
use crate::host::overlay::diff::{Against, changes};
use crate::overlay::Record;
use crate::overlay::change::{Became, By, Change, Type};
use crate::path::AbsPath;
use anyhow::Result;
use std::fmt::Write as _;

pub(super) fn run(context: &Context, record: &Record, args: &OverlayDiff) -> Result<String> {
    let against = if args.written { Against::Source } else { Against::Base };
    let found = changes(record, against)?;
    print(context, &record.target, &found, args)
}

/// Changes of whatever lies over this target.
pub(super) fn print(context: &Context, target: &AbsPath, found: &[Change], args: &OverlayDiff) -> Result<String> {
    match args.output.json() {
        Some(format) => json::print(&found, format),
        None => Ok(render(context, target, found)),
    }
}

fn render(context: &Context, target: &AbsPath, found: &[Change]) -> String {
    let mut out = String::with_capacity(found.len() * 64);
    for change in found {
        let style = match change.became {
            Became::Added => Style::Good,
            Became::Changed => Style::Warning,
            Became::Deleted => Style::Bad,
        };
        let letter = style.paint(context.terminal.colour, &change.letter().to_string());
        let by = if change.by == By::Written { 'w' } else { 's' };
        let (mode, size) = change.look().map_or((String::new(), String::new()), |look| {
            (look.mode_text(), if look.kind == Type::Directory { "-".into() } else { bytes(look.size) })
        });
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{letter} {by} {mode} {size:>8} {target}/{}", change.path.escape_debug());
    }
    let count = |became| found.iter().filter(|change| change.became == became).count();
    let (added, changed, deleted) = (count(Became::Added), count(Became::Changed), count(Became::Deleted));
    let _ = writeln!(out, "{added} added, {changed} changed, {deleted} deleted (w: written, s: by the source)");
    out
}
