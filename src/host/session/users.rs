//! Who uses sessions: their units, loop devices over their disks, processes that have something of them open.
//! It decides nothing. Whatever cannot be asked is an error, so that nothing is taken for unused that is not.
//! Sources: systemctl(1), `/sys/block/loopN/loop/backing_file`, proc_pid_fd(5).

use crate::host::systemctl::Systemctl;
use crate::name::{AppId, SessionName};
use crate::plan::Names;
use crate::session::reap::Use;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// States of a unit that nobody is in.
const ENDED: [&str; 2] = ["inactive", "failed"];

/// All users of sessions, as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Users {
    units: BTreeMap<String, String>,
    loops: Vec<(String, PathBuf)>,
    open: Vec<(u32, PathBuf)>,
}

impl Users {
    /// Looks for them; `places` are the directories that sessions are in.
    pub fn look(places: &[PathBuf]) -> Result<Self> {
        Ok(Self { units: units("veneer-clone-*@*.service")?, loops: loops()?, open: open_files(places)? })
    }

    /// Who uses this session, whose directories these are.
    pub fn of(&self, id: &AppId, name: &SessionName, directories: &[PathBuf]) -> Option<Use> {
        if let Some(state) = self.units.get(&unit(id, name)).filter(|state| !ENDED.contains(&state.as_str())) {
            return Some(Use::Unit(state.clone()));
        }
        let inside = |path: &Path| directories.iter().any(|directory| path.starts_with(directory));
        let device = self.loops.iter().find(|(_, file)| inside(file));
        let process = self.open.iter().find(|(_, file)| inside(file));
        device.map(|(device, _)| Use::Loop(device.clone())).or(process.map(|(pid, _)| Use::Process(*pid)))
    }
}

/// Whether a session's own unit is up, or on its way.
pub fn unit_is_up(id: &AppId, name: &SessionName) -> Result<bool> {
    Ok(units(&unit(id, name))?.values().any(|state| !ENDED.contains(&state.as_str())))
}

/// The sessions that systemd would stop with an app's chain, in the order of names: those that are over its mounted
/// image, or were told to be by their unit.
pub fn bound_to_chain(id: &AppId) -> Result<Vec<SessionName>> {
    let systemd = Systemctl::running().ok_or_else(|| Fault::unavailable("there is no running systemd to ask"))?;
    let pattern = format!("veneer-clone-{id}@*.service");
    let shown = systemd.show(&[pattern], "Id,ActiveState,BindsTo").context("asking for the units of sessions")?;
    Ok(bound(&shown, id))
}

fn bound(shown: &str, id: &AppId) -> Vec<SessionName> {
    let names = Names::new(id);
    let chain = [names.image.to_string(), names.verity.to_string()];
    let of = |block: &str, key: &str| block.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned));
    let session = |block: &str| {
        let unit = of(block, "Id=")?;
        let name = unit.strip_prefix(&format!("veneer-clone-{id}@"))?.strip_suffix(".service")?.to_owned();
        let up = of(block, "ActiveState=").is_some_and(|state| !ENDED.contains(&state.as_str()));
        let binds = of(block, "BindsTo=")?.split(' ').any(|unit| chain.iter().any(|link| link == unit));
        (up && binds).then(|| SessionName::parse(&name).ok())?
    };
    let mut found: Vec<SessionName> = shown.split("\n\n").filter_map(session).collect();
    found.sort();
    found
}

fn unit(id: &AppId, name: &SessionName) -> String {
    format!("veneer-clone-{id}@{name}.service")
}

fn units(pattern: &str) -> Result<BTreeMap<String, String>> {
    let systemd = Systemctl::running().ok_or_else(|| Fault::unavailable("there is no running systemd to ask"))?;
    let text = systemd.show(&[pattern.to_owned()], "Id,ActiveState").context("asking for the units of sessions")?;
    let of = |block: &str, key: &str| block.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned));
    let blocks = text.split("\n\n").filter_map(|block| Some((of(block, "Id=")?, of(block, "ActiveState=")?)));
    Ok(blocks.collect())
}

fn loops() -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/block").context("listing /sys/block")? {
        let entry = entry.context("listing /sys/block")?;
        let path = entry.path().join("loop/backing_file");
        match fs::read_to_string(&path) {
            Ok(file) => {
                let device = format!("/dev/{}", entry.file_name().to_string_lossy());
                found.push((device, PathBuf::from(file.trim_end_matches('\n'))));
            }
            // No loop device, one without a file, or gone.
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }
    Ok(found)
}

/// Files and directories that processes have open below these places.
fn open_files(places: &[PathBuf]) -> Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("listing /proc")? {
        let name = entry.context("listing /proc")?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let mut links = vec![format!("/proc/{pid}/cwd").into(), format!("/proc/{pid}/root").into()];
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(entries) => links.extend(entries.flatten().map(|entry| entry.path())),
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(error).with_context(|| format!("listing /proc/{pid}/fd")),
        }
        let targets = links.iter().filter_map(|link: &PathBuf| fs::read_link(link).ok());
        let inside = targets.filter(|file| places.iter().any(|place| file.starts_with(place)));
        found.extend(inside.map(|file| (pid, file)));
    }
    Ok(found)
}

fn is_gone(error: &std::io::Error) -> bool {
    // A process that ends meanwhile answers ESRCH.
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) || error.raw_os_error() == Some(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_living_sessions_over_the_image_stand_in_the_way_of_a_new_chain() {
        let id = AppId::parse("a").expect("an id");
        let image = "run-veneer-apps-a-image.mount";
        let shown = format!(
            "Id=veneer-clone-a@two.service\nActiveState=active\nBindsTo=x.mount {image}\n\n\
             Id=veneer-clone-a@ended.service\nActiveState=failed\nBindsTo={image}\n\n\
             Id=veneer-clone-a@copy.service\nActiveState=active\nBindsTo=\n\n\
             Id=veneer-clone-a@one.service\nActiveState=deactivating\nBindsTo=veneer-verity@a.service\n\n\
             Id=veneer-clone-ab@one.service\nActiveState=active\nBindsTo=run-veneer-apps-ab-image.mount\n"
        );
        let names: Vec<String> = bound(&shown, &id).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(bound("", &id).is_empty());
    }
}
