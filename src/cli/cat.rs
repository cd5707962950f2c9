//! `veneer cat`: every unit and drop-in of an app, as `systemctl cat` prints them.
//! Where systemd runs it is asked; with `--root` the units are those the generator would write.

use super::args::Cat;
use super::context::{Context, find};
use super::style::Style;
use super::unit_files::{UnitFile, cat, files, parse, present};
use crate::config::ConfigText;
use crate::generate;
use crate::host::below_root;
use crate::host::terminal::Colour;
use crate::layout::GENERATOR_DIR;
use crate::name::AppId;
use crate::plan::Names;
use anyhow::Result;

pub(super) fn run(context: &Context, args: &Cat) -> Result<String> {
    let config = context.config();
    let id = known(context, &config, &args.id)?;
    let units = units(context, &config, &id)?;
    let texts: Vec<String> = units.iter().map(|(_, files)| paint(&cat(files), context.terminal.colour)).collect();
    Ok(texts.join("\n"))
}

/// The id of an app that is configured, or at least up.
pub(super) fn known(context: &Context, config: &ConfigText, id: &str) -> Result<AppId> {
    match find(config, id) {
        Ok(app) => Ok(app.id.clone()),
        Err(unknown) => context.live().into_iter().map(|live| live.id).find(|live| live.as_str() == id).ok_or(unknown),
    }
}

/// All units of an app with their files.
pub(super) fn units(context: &Context, config: &ConfigText, id: &AppId) -> Result<Vec<(String, Vec<UnitFile>)>> {
    let names = Names::new(id);
    let dir = context.at(GENERATOR_DIR);
    let generated = generate::all(config, &context.live()).units;
    let mut present = match context.systemd {
        Some(_) => present(&names, |path| below_root::exists(&dir.join(path))),
        None => present(&names, |path| generated.has(path)),
    };
    // Not of the chain, and up for a moment only; but an app that has a chain has it.
    if present.contains(&&names.verity) {
        present.push(&names.check);
    }
    let one = |unit: &str| match context.systemd {
        Some(systemd) => systemd.cat(&[unit.to_owned()]).map(|text| parse(&text)),
        None => files(context, &generated, unit),
    };
    present.iter().map(|unit| one(unit.as_str()).map(|files| (unit.to_string(), files))).collect()
}

/// As `systemctl cat`: where a file begins stands out.
fn paint(text: &str, colour: Colour) -> String {
    let style = |line: &str| match line.as_bytes().first() {
        Some(b'#') if line.starts_with("# /") => Style::Bold,
        Some(b'#' | b';') => Style::Faint,
        _ => Style::Plain,
    };
    text.lines().map(|line| style(line).paint(colour, line) + "\n").collect()
}
