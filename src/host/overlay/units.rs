//! The unit of an overlay in systemd's hands: written, started, stopped, taken away.
//! What is in it is `crate::overlay::units`'.
//! A unit file that is new needs no reload: systemd looks for units that it does not know (systemd.unit(5)); one that it has
//! read in another form does.

use super::{mounting, target};
use crate::host::systemctl::Systemctl;
use crate::host::{below_root, files};
use crate::layout::RUNTIME_UNITS;
use crate::overlay::Record;
use crate::overlay::units::{Names, of_record};
use crate::unit::Content;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::path::Path;

/// systemd, without which there is no overlay over a host.
pub fn systemd() -> Result<Systemctl> {
    Ok(Systemctl::running().ok_or_else(|| Fault::unavailable("an overlay over the host needs a running systemd"))?)
}

/// Writes the mount unit of an overlay, which is not mounted: its target's mount is what it has to keep to. A declared one
/// has the generator's.
pub fn write(record: &Record) -> Result<()> {
    if record.declared.is_some() {
        return Ok(());
    }
    let guards = mounting::guards(record.target.as_str())?;
    let set =
        of_record(record, &guards).map_err(|twice| Fault::failure(format!("two units want to be {}", twice.path)))?;
    for (path, content) in set.iter() {
        if let Content::File(text) = content {
            below_root::replace(Path::new(&format!("{RUNTIME_UNITS}/{path}")), text)?;
        }
    }
    Ok(())
}

/// Takes the mount unit of an overlay away, which is no longer mounted.
pub fn remove(record: &Record) -> Result<()> {
    let name = Names::new(&record.name, &record.target).mount;
    files::remove_file(&format!("{RUNTIME_UNITS}/{name}")).map(drop)
}

/// Starts the mounts of overlays, all in one go; they bring their layers up themselves.
pub fn start(records: &[&Record]) -> Result<()> {
    let systemd = systemd()?;
    let mounts: Vec<String> =
        records.iter().map(|record| Names::new(&record.name, &record.target).mount.to_string()).collect();
    if mounts.is_empty() {
        return Ok(());
    }
    let known = systemd.show(&mounts, "FragmentPath,NeedDaemonReload")?;
    let fresh = |line: &str| match line.split_once('=') {
        Some(("FragmentPath", path)) => path.starts_with(RUNTIME_UNITS),
        Some(("NeedDaemonReload", answer)) => answer == "no",
        _ => true,
    };
    if !known.lines().all(fresh) {
        systemd.daemon_reload()?;
    }
    let mut words = vec!["start", "--"];
    words.extend(mounts.iter().map(String::as_str));
    systemd.act(&words)
}

/// Stops the mount of an overlay and what holds its layers. A mount that systemd could not take off is taken off here:
/// systemd sees that it is gone as it sees any mount.
pub fn stop(record: &Record) -> Result<()> {
    let names = Names::new(&record.name, &record.target);
    let stopped = systemd()?.act(&["stop", "--", names.mount.as_str(), names.layers.as_str()]);
    if stopped.is_err() {
        for mount in target::mounts()?.at_or_below(record.target.as_str()) {
            mounting::take_off(&mount.place)?;
        }
        systemd()?.act(&["stop", "--", names.layers.as_str()]).context("stopping the overlay's units")?;
    }
    Ok(())
}

/// The same, unless neither is up: a start of a declared overlay that waits for the recovery at boot would be cancelled.
pub fn stop_if_up(record: &Record) -> Result<()> {
    let names = Names::new(&record.name, &record.target);
    let states = systemd()?.show(&[names.mount.to_string(), names.layers.to_string()], "ActiveState")?;
    let is_down = |line: &str| matches!(line, "" | "ActiveState=inactive" | "ActiveState=failed");
    if states.lines().all(is_down) { Ok(()) } else { stop(record) }
}

/// Has systemd forget that units failed, so that their names are free.
pub fn forget(record: &Record) -> Result<()> {
    let names = Names::new(&record.name, &record.target);
    // A unit that has not failed is none that it knows, which is as good.
    drop(systemd()?.show(&[names.mount.to_string()], "Id"));
    systemd()?.quietly(&["reset-failed", "--", names.mount.as_str(), names.layers.as_str()]);
    Ok(())
}
