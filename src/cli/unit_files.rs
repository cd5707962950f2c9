//! The files that make up a unit, found as systemd finds them; for a `--root`, where nobody can be asked.
//! It reads the directories of units and takes the generator's from memory; aliases it does not follow.
//! Order and precedence are systemd.unit(5)'s, "Unit File Load Path" and the drop-ins described before it.

use super::context::Context;
use crate::host::below_root;
use crate::layout::{GENERATOR_DIR, SYSTEM_UNITS};
use crate::plan::Names;
use crate::unit::{Content, UnitName, UnitSet};
use anyhow::Result;
use std::collections::BTreeMap;

/// The names of all units an app can have, its service first, then from the top of its chain down.
pub(super) fn units_of(names: &Names) -> [&UnitName; 10] {
    let Names { app, verity, overlay, image, rw, root, socket, timer, pull, convert, .. } = names;
    [app, root, overlay, rw, image, verity, convert, pull, socket, timer]
}

/// Those of them that an app has; `has` knows the paths below the generator's directory.
pub(super) fn present(names: &Names, has: impl Fn(&str) -> bool) -> Vec<&UnitName> {
    let dropped = |unit: &UnitName| has(&format!("{unit}.d/{}", crate::unit::DROP_IN));
    let is_there = |unit: &UnitName| {
        // A volatile overlay has no drop-in of its own, but its tmpfs.
        let of_overlay = *unit == names.overlay && has(names.rw.as_str());
        *unit == names.app || of_overlay || dropped(unit) || has(unit.as_str())
    };
    units_of(names).into_iter().filter(|unit| is_there(unit)).collect()
}

/// A file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitFile {
    pub(super) path: String,
    pub(super) text: String,
}

/// Directories of units, the strongest first.
const DIRS: [&str; 5] =
    ["/etc/systemd/system", "/run/systemd/system", GENERATOR_DIR, "/usr/local/lib/systemd/system", SYSTEM_UNITS];

/// The unit's own file, then its drop-ins in order of file name.
pub(super) fn files(context: &Context, generated: &UnitSet, unit: &str) -> Result<Vec<UnitFile>> {
    let read = |path: &str| read(context, generated, path);
    let mut files = Vec::new();
    for path in names(unit).iter().flat_map(|name| DIRS.map(|dir| format!("{dir}/{name}"))) {
        if let Some(file) = read(&path)? {
            files.push(file);
            break;
        }
    }
    let mut drop_ins = BTreeMap::new();
    for dir in drop_in_dirs(unit).iter().flat_map(|name| DIRS.map(|dir| format!("{dir}/{name}"))) {
        for name in list(context, generated, &dir)? {
            if !drop_ins.contains_key(&name) {
                drop_ins.insert(name.clone(), read(&format!("{dir}/{name}"))?);
            }
        }
    }
    files.extend(drop_ins.into_values().flatten());
    Ok(files)
}

/// Its own name, and its template's.
fn names(unit: &str) -> Vec<String> {
    let mut names = vec![unit.to_owned()];
    if let (Some((template, _)), Some((_, kind))) = (unit.split_once('@'), unit.rsplit_once('.')) {
        names.push(format!("{template}@.{kind}"));
    }
    names
}

/// Where drop-ins of a unit lie, the most particular first: its own, its template's, those of prefixes, its kind's.
fn drop_in_dirs(unit: &str) -> Vec<String> {
    let mut dirs: Vec<String> = names(unit).iter().map(|name| format!("{name}.d")).collect();
    if let Some((stem, kind)) = unit.rsplit_once('.') {
        let stem = stem.split_once('@').map_or(stem, |(template, _)| template);
        let dashes = stem.match_indices('-').map(|(at, _)| at).filter(|at| at + 1 < stem.len());
        let prefixes: Vec<String> = dashes.map(|at| format!("{}-.{kind}.d", &stem[..at])).collect();
        dirs.extend(prefixes.into_iter().rev());
        dirs.push(format!("{kind}.d"));
    }
    dirs
}

fn read(context: &Context, generated: &UnitSet, path: &str) -> Result<Option<UnitFile>> {
    let text = match path.strip_prefix(GENERATOR_DIR).and_then(|below| generated.get(below.trim_start_matches('/'))) {
        Some(Content::File(text)) => Some(text.clone()),
        // A link goes to a file that is installed.
        Some(Content::Link(target)) => below_root::read(&context.at(target))?,
        None if path.starts_with(GENERATOR_DIR) => None,
        None => below_root::read(&context.at(path))?,
    };
    Ok(text.map(|text| UnitFile { path: path.to_owned(), text }))
}

fn list(context: &Context, generated: &UnitSet, dir: &str) -> Result<Vec<String>> {
    let names = match dir.strip_prefix(GENERATOR_DIR) {
        Some(below) => {
            let below = format!("{}/", below.trim_start_matches('/'));
            let paths = generated.iter().filter_map(|(path, _)| path.strip_prefix(below.as_str()));
            paths.map(str::to_owned).collect()
        }
        None => below_root::names(&context.at(dir))?,
    };
    Ok(names.into_iter().filter(|name| name.ends_with(".conf")).collect())
}

/// As `systemctl cat` prints them: a line `# PATH` before each file, an empty line between two.
pub(super) fn cat(files: &[UnitFile]) -> String {
    files.iter().map(|file| format!("# {}\n{}", file.path, file.text)).collect::<Vec<_>>().join("\n")
}

/// Reads what `systemctl cat` prints: which line begins a file can be told, for paths of units are absolute.
pub(super) fn parse(text: &str) -> Vec<UnitFile> {
    let mut files: Vec<UnitFile> = Vec::new();
    for line in text.lines() {
        let path = line.strip_prefix("# ").filter(|path| is_unit_path(path));
        match (path, files.last_mut()) {
            (Some(path), _) => files.push(UnitFile { path: path.to_owned(), text: String::new() }),
            (None, Some(file)) => {
                file.text.push_str(line);
                file.text.push('\n');
            }
            (None, None) => {}
        }
    }
    files
}

fn is_unit_path(path: &str) -> bool {
    let kinds = [".service", ".mount", ".socket", ".timer", ".conf"];
    path.starts_with('/') && path.contains("/systemd/") && kinds.iter().any(|kind| path.ends_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AppId;

    #[test]
    fn drop_ins_are_looked_for_where_systemd_does() {
        assert_eq!(drop_in_dirs("app@a.b.service"), ["app@a.b.service.d", "app@.service.d", "service.d"]);
        let dirs = drop_in_dirs("run-veneer-apps-a-image.mount");
        assert_eq!(dirs[1], "run-veneer-apps-a-.mount.d");
        assert!(dirs.contains(&"run-veneer-apps-.mount.d".to_owned()));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let file = |path: &str, text: &str| UnitFile { path: path.into(), text: text.into() };
        let files = [
            file("/usr/lib/systemd/system/app@.service", "# a comment\n[Unit]\n\n"),
            file("/etc/systemd/system/app@a.service.d/x.conf", "[Service]\nUser=x\n"),
        ];
        let parsed = parse(&cat(&files));
        assert_eq!(parsed[0].text.trim_end(), files[0].text.trim_end());
        assert_eq!(parsed[1], files[1]);
    }

    #[test]
    fn an_app_has_the_units_its_files_name() {
        let names = Names::new(&AppId::parse("a").expect("good id"));
        let shown = |paths: &[&str]| {
            let present = present(&names, |path| paths.contains(&path));
            present.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shown(&[]), ["app@a.service"]);
        let volatile = shown(&["run-veneer-apps-a-rw.mount", "veneer-verity@a.service"]);
        let wanted =
            ["app@a.service", "veneer-overlay@a.service", "run-veneer-apps-a-rw.mount", "veneer-verity@a.service"];
        assert_eq!(volatile, wanted);
    }
}
