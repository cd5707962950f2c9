//! The layers of an overlay that systemd mounts are the directories that were meant, in their order.
//! Each layer says by a file of its own that it is there, and all have one file that only the topmost shows.
//! Which names work depends on mount(8) too: since util-linux 2.39 it splits the options itself.

use crate::bus::{Bus, Data};
use crate::report::Report;
use crate::settings::UNITS;
use crate::wild::Wild;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use veneer::path::AbsPath;
use veneer::unit::{EnvVar, Layer, Unit, UnitName, Value};

const BASE: &str = "/run/veneer-layers";
/// Mounts that are there together.
const BATCH: usize = 50;
/// How long one mount may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all mounts of apps have: without it, mount(8) hands a layer list of over 255 bytes to a call that refuses it.
const SHIPPED: &str = include_str!("../../units/run-veneer-apps-.mount.d/10-veneer.conf");

/// Mounts `count` overlays and looks into each.
pub(crate) fn prove(bus: &mut Bus, report: &mut Report, wild: &mut Wild, count: usize) -> Result<()> {
    assert!(SHIPPED.contains("\nEnvironment=LIBMOUNT_FORCE_MOUNT2=always\n"));
    let mut done = 0;
    while done < count {
        fs::create_dir_all(BASE)?;
        let batch: Vec<Case> = (0..BATCH.min(count - done))
            .filter_map(|at| case(report, wild, done + at).transpose())
            .collect::<Result<_>>()?;
        done += BATCH;
        bus.reload()?;
        for case in &batch {
            bus.start(case.name.as_str())?;
        }
        for case in &batch {
            compare(bus, report, case)?;
        }
        for case in &batch {
            bus.stop(case.name.as_str())?;
        }
        for case in &batch {
            settled(bus, case, "inactive")?;
            fs::remove_file(format!("{UNITS}/{}", case.name))?;
        }
        fs::remove_dir_all(BASE)?;
    }
    Ok(())
}

struct Case {
    name: UnitName,
    place: String,
    layers: Vec<AbsPath>,
    writable: bool,
    text: String,
}

fn case(report: &mut Report, wild: &mut Wild, number: usize) -> Result<Option<Case>> {
    let place = format!("{BASE}/{number}/root");
    let source = AbsPath::parse(&place).map_err(Error::other)?;
    let name = UnitName::mount_of(&place);
    let mut unit = Unit::from_source(&source);
    unit.section("Mount");
    unit.set("Where", Value::Path(&place));
    unit.set("Environment", Value::Env(&EnvVar::parse("LIBMOUNT_FORCE_MOUNT2", "always").map_err(Error::other)?));
    let made =
        if wild.one_in(4) { bind(report, wild, number, &mut unit) } else { overlay(report, wild, number, &mut unit) };
    let Some((layers, writable)) = made else { return Ok(None) };
    for (at, layer) in layers.iter().enumerate() {
        let dir = Path::new(layer.as_str());
        fs::create_dir_all(dir)?;
        fs::write(dir.join(format!("layer-{at}")), "")?;
        fs::write(dir.join("who"), at.to_string())?;
    }
    for dir in ["root", "side/upper", "side/work"] {
        fs::create_dir_all(format!("{BASE}/{number}/{dir}"))?;
    }
    fs::write(format!("{UNITS}/{name}"), unit.as_str())?;
    Ok(Some(Case { name, place, layers, writable, text: unit.into_text() }))
}

/// The source of a bind mount is an argument of mount(8) as well.
fn bind(report: &mut Report, wild: &mut Wild, number: usize, unit: &mut Unit) -> Option<(Vec<AbsPath>, bool)> {
    let dir = report.take("What", &format!("{BASE}/{number}/0{}", wild.path()), AbsPath::parse)?;
    unit.set("What", Value::What(dir.as_str()));
    unit.set("Type", Value::Word("none"));
    unit.set("Options", Value::Options(&["bind".to_owned(), "ro".to_owned()]));
    Some((vec![dir], false))
}

fn overlay(report: &mut Report, wild: &mut Wild, number: usize, unit: &mut Unit) -> Option<(Vec<AbsPath>, bool)> {
    let layers: Vec<AbsPath> = (0..2 + wild.below(5))
        .filter_map(|at| {
            // Most wild paths have a backslash, which no layer can have.
            let path = if wild.one_in(5) { wild.path() } else { wild.path().replace(['\\', '"', ','], "") };
            report.take("layer", &format!("{BASE}/{number}/{at}{path}"), Layer::parse)
        })
        .map(AbsPath::from)
        .collect();
    // Overlayfs takes no single layer without an upper one, and mount(2) takes a page of options.
    if layers.len() < 2 || layers.iter().map(|layer| 2 * layer.as_str().len()).sum::<usize>() > 3500 {
        return None;
    }
    let writable = wild.one_in(2);
    unit.set("What", Value::Word("overlay"));
    unit.set("Type", Value::Word("overlay"));
    let options = [if writable { "rw" } else { "ro" }.to_owned(), "nodev".to_owned()];
    let side = format!("{BASE}/{number}/side");
    let lower: Vec<&str> = layers.iter().map(AbsPath::as_str).collect();
    unit.set("Options", Value::Overlay { options: &options, lower: &lower, upper: writable.then_some(&side) });
    Some((layers, writable))
}

fn compare(bus: &mut Bus, report: &mut Report, case: &Case) -> Result<()> {
    report.checked();
    if !settled(bus, case, "active")? {
        report.wrong("Options", &format!("{} does not mount: {}", case.name, journal(case)), &case.text);
        return Ok(());
    }
    let here: BTreeSet<String> = fs::read_dir(&case.place)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    let wanted: BTreeSet<String> =
        (0..case.layers.len()).map(|at| format!("layer-{at}")).chain(["who".to_owned()]).collect();
    let top = fs::read_to_string(format!("{}/who", case.place))?;
    let is_writable = fs::write(format!("{}/new", case.place), "").is_ok();
    if here != wanted || top != "0" || is_writable != case.writable {
        report.wrong("Options", &format!("{}: {here:?}, topmost {top}, writable {is_writable}", case.name), &case.text);
    }
    Ok(())
}

/// What mount(8) said.
fn journal(case: &Case) -> String {
    let said = Command::new("journalctl").args(["-q", "-o", "cat", "-n", "8", "-u", case.name.as_str()]).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default()
}

/// Whether a unit comes to this state; it has if it is there, or failed, when nothing goes on any more.
fn settled(bus: &mut Bus, case: &Case, wanted: &str) -> Result<bool> {
    let end = Instant::now() + PATIENCE;
    loop {
        let read = bus.properties(case.name.as_str(), "Unit")?;
        match read.get("ActiveState").and_then(Data::as_text) {
            Some(state) if state == wanted => return Ok(true),
            Some("failed") => return Ok(false),
            _ if Instant::now() > end => return Ok(false),
            _ => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
