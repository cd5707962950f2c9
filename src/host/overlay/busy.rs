//! Which processes hold something of an overlay: a file, a directory, their program, a library.
//! It stops none. A process that ends while it is looked at holds nothing.
//! What is held is found by the mount it was reached through (statx(2), `STATX_MNT_ID`): a file beneath the overlay has the
//! same path. In another mount namespace the mount has another number, which that namespace's mountinfo tells.

use super::mounting;
use crate::overlay::mount_table::MountTable;
use crate::overlay::units::mount_source;
use crate::overlay::{OverlayName, Record};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A process that holds something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name (proc_pid_comm(5)).
    pub name: String,
    /// One thing that it holds, and how: `working directory`, `program`, `open file`, `mapped file`.
    pub how: &'static str,
}

/// Everybody who holds something of an overlay, by number; not this process.
pub fn holders(record: &Record) -> Result<Vec<Holder>> {
    let mut looking = Looking { name: &record.name, target: record.target.as_str(), by_namespace: HashMap::new() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("listing /proc")? {
        let entry = entry.context("listing /proc")?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if pid == std::process::id() {
            continue;
        }
        found.extend(looking.look(pid, &entry.path()));
    }
    found.sort();
    Ok(found)
}

struct Looking<'a> {
    name: &'a OverlayName,
    target: &'a str,
    /// The mount's number in each mount namespace.
    by_namespace: HashMap<PathBuf, Option<u64>>,
}

impl Looking<'_> {
    fn look(&mut self, pid: u32, process: &Path) -> Option<Holder> {
        let mount = self.mount(process)?;
        let how = holds(process, mount, self.target)?;
        let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default().trim_end().to_owned();
        Some(Holder { pid, name, how })
    }

    fn mount(&mut self, process: &Path) -> Option<u64> {
        let namespace = std::fs::read_link(process.join("ns/mnt")).ok()?;
        if let Some(known) = self.by_namespace.get(&namespace) {
            return *known;
        }
        let table = std::fs::read_to_string(process.join("mountinfo")).map(|text| MountTable::parse(&text));
        let source = mount_source(self.name);
        let found = table.ok().and_then(|table| {
            let own = table.iter().filter(|mount| mount.source == source && mount.kind == "overlay").last();
            own.or_else(|| table.top(self.target)).map(|mount| mount.id)
        });
        self.by_namespace.insert(namespace, found);
        found
    }
}

fn holds(process: &Path, mount: u64, target: &str) -> Option<&'static str> {
    let through = |path: PathBuf| mounting::mount_id(&path) == Some(mount);
    let kinds = [("cwd", "working directory"), ("root", "root directory"), ("exe", "program")];
    if let Some((_, how)) = kinds.into_iter().find(|(name, _)| through(process.join(name))) {
        return Some(how);
    }
    let each = |name: &str| std::fs::read_dir(process.join(name)).into_iter().flatten().flatten();
    if each("fd").any(|entry| through(entry.path())) {
        return Some("open file");
    }
    // Few processes map something below the target; only these are looked at closely.
    let maps = std::fs::read_to_string(process.join("maps")).unwrap_or_default();
    let range = |line: &str| line.contains(target).then(|| line.split(' ').next().map(str::to_owned)).flatten();
    let mapped = maps.lines().filter_map(range).any(|range| through(process.join("map_files").join(range)));
    mapped.then_some("mapped file")
}
