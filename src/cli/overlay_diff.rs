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
use crate::overlay::record::Kind;
use crate::path::AbsPath;
use anyhow::Result;
use std::fmt::Write as _;

pub(super) fn run(context: &Context, record: &Record, args: &OverlayDiff) -> Result<String> {
    let against = if args.written { Against::Source } else { Against::Base };
    let found = changes(record, against)?;
    print(context, (&record.target, record.kind), &found, args)
}

/// Changes of whatever lies over this target, of this kind.
pub(super) fn print(
    context: &Context,
    target: (&AbsPath, Kind),
    found: &[Change],
    args: &OverlayDiff,
) -> Result<String> {
    match args.output.json() {
        Some(format) => json::print(&found, format),
        None => Ok(render(context, target, found)),
    }
}

/// The whole path: a file that is laid over is the target itself.
fn shown((target, kind): (&AbsPath, Kind), change: &Change) -> String {
    match kind {
        Kind::Directory => format!("{target}/{}", change.path.escape_debug()),
        Kind::File => target.to_string(),
    }
}

fn render(context: &Context, target: (&AbsPath, Kind), found: &[Change]) -> String {
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
        let _ = writeln!(out, "{letter} {by} {mode} {size:>8} {}", shown(target, change));
    }
    let count = |became| found.iter().filter(|change| change.became == became).count();
    let (added, changed, deleted) = (count(Became::Added), count(Became::Changed), count(Became::Deleted));
    let _ = writeln!(out, "{added} added, {changed} changed, {deleted} deleted (w: written, s: by the source)");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_laid_over_is_shown_once() {
        let path = "hostname".to_owned();
        let change = Change { path, became: Became::Added, by: By::Written, before: None, after: None };
        let target = AbsPath::parse("/etc/hostname").expect("a path");
        assert_eq!(shown((&target, Kind::File), &change), "/etc/hostname");
        assert_eq!(shown((&target, Kind::Directory), &change), "/etc/hostname/hostname");
    }
}
