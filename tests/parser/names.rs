//! Names of units are what `systemd-escape` makes of a path, and an id comes back from `%i` as it was.
//! What systemd does with the units of these names is `settings`' to prove.
//! The escaping is systemd.unit(5)'s, "String Escaping for Inclusion in Unit Names".

use crate::bus::{Bus, Data};
use crate::report::Report;
use crate::settings::UNITS;
use crate::wild::Wild;
use std::fs;
use std::io::{Error, Result};
use std::process::Command;
use veneer::name::AppId;
use veneer::path::AbsPath;
use veneer::unit::{Text, Unit, UnitName, UnitSet, Value};

/// Paths for one call of `systemd-escape`: they must fit its command line.
const AT_ONCE: usize = 200;

/// Paths against `systemd-escape`, ids against a template's `%i`.
pub(crate) fn prove(bus: &mut Bus, report: &mut Report, wild: &mut Wild, count: usize) -> Result<()> {
    for _ in 0..count.div_ceil(AT_ONCE) {
        escaped(report, wild)?;
    }
    instances(bus, report, wild, count)
}

fn escaped(report: &mut Report, wild: &mut Wild) -> Result<()> {
    let mut paths = vec![AbsPath::parse("/").map_err(Error::other)?];
    while paths.len() < AT_ONCE {
        // A path longer than a file's name may be has no name as a unit, and systemd-escape says so for all.
        paths.extend(report.take("path", &wild.path(), AbsPath::parse).filter(|path| path.as_str().len() < 60));
    }
    let mut command = Command::new("systemd-escape");
    command.args(["--path", "--suffix=mount", "--"]).args(paths.iter().map(AbsPath::as_str));
    let said = String::from_utf8(command.output()?.stdout).map_err(Error::other)?;
    let names: Vec<&str> = said.trim_end().split(' ').collect();
    if names.len() != paths.len() {
        report.wrong("systemd-escape", &format!("{} names for {} paths", names.len(), paths.len()), "");
        return Ok(());
    }
    for (path, name) in paths.iter().zip(names) {
        report.checked();
        let ours = UnitName::mount_of(path.as_str());
        if ours.as_str() != name {
            report.wrong("systemd-escape", &format!("{path:?} is {name:?}, not {:?}", ours.as_str()), "");
        }
    }
    Ok(())
}

/// A template whose settings are specifiers, and a drop-in per instance, as the generator writes them.
fn instances(bus: &mut Bus, report: &mut Report, wild: &mut Wild, count: usize) -> Result<()> {
    let template = "[Unit]\nDocumentation=man:%i man:%I\n[Service]\nType=exec\nExecStart=/bin/true %i\n";
    fs::write(format!("{UNITS}/wild-id@.service"), template)?;
    let source = AbsPath::parse("/etc/veneer/apps.d/x.toml").map_err(Error::other)?;
    let mut set = UnitSet::default();
    let mut ids = Vec::new();
    for _ in 0..count {
        let Some(id) = report.take("id", &wild.id(), AppId::parse) else { continue };
        let mut unit = Unit::from_source(&source);
        let text = Text::parse(&format!("This is {id}")).map_err(Error::other)?;
        unit.set("Description", Value::Text(&text));
        // The same id twice is no fault of the writer's.
        if set.drop_in(&UnitName::service_of("wild-id", &id), unit).is_ok() {
            ids.push(id);
        }
    }
    for (path, content) in set.iter() {
        let path = std::path::PathBuf::from(format!("{UNITS}/{path}"));
        let veneer::unit::Content::File(text) = content else { continue };
        path.parent().map(fs::create_dir_all).transpose()?;
        fs::write(path, text)?;
    }
    bus.reload()?;
    for id in &ids {
        instance(bus, report, id)?;
    }
    for id in &ids {
        fs::remove_dir_all(format!("{UNITS}/{}.d", UnitName::service_of("wild-id", id)))?;
    }
    bus.reload()
}

fn instance(bus: &mut Bus, report: &mut Report, id: &AppId) -> Result<()> {
    let name = UnitName::service_of("wild-id", id);
    let read = bus.properties(name.as_str(), "Unit")?;
    // %I undoes the escaping, in which a dash is a slash; what is written for an app uses %i alone.
    let unescaped = id.as_str().replace('-', "/");
    let wanted = [
        ("Id", Data::text(name.as_str())),
        ("Names", Data::texts([name.as_str()])),
        ("LoadState", Data::text("loaded")),
        ("Description", Data::Text(format!("This is {id}"))),
        ("Documentation", Data::texts([format!("man:{id}"), format!("man:{unescaped}")])),
    ];
    for (property, wanted) in wanted {
        report.checked();
        let got = read.get(property);
        if got != Some(&wanted) {
            report.wrong(property, &format!("{name}: {got:?} is not {wanted:?}"), "");
        }
    }
    Ok(())
}
