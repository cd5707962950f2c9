//! `veneer why`: which file, line and key gave an app's setting, down to the admin's own drop-ins of the unit.
//! It explains what is configured; what systemd made of it at the last reload is `systemctl show`'s.
//! Directives that Veneer writes follow from the keys in one table here, beside what `plan` writes.

use super::args::Why;
use super::cat::{known, units};
use super::context::{Context, find};
use super::fault::fault;
use super::json;
use super::unit_files::UnitFile;
use crate::config::{Host, Origin, origins};
use crate::problem::nearest;
use crate::sysexits::Exit;
use anyhow::Result;
use serde::Serialize;

/// What Veneer writes, and the keys it follows from (a key ending in a dot stands for all below it).
const WRITTEN: &[(&str, &[&str])] = &[
    ("After", &["service.after", "service.requires", IMAGE, "overlay."]),
    ("BindPaths", &["service.bind"]),
    ("BindReadOnlyPaths", &["service.bind"]),
    ("BindsTo", &[IMAGE, "overlay."]),
    ("ConditionPathExists", &["image.fallback"]),
    ("Description", &["app.description"]),
    ("DynamicUser", &["service.user"]),
    ("Environment", &["service.environment."]),
    ("ExecStart", &["service.exec", IMAGE]),
    ("ExecStartPre", &[IMAGE, "overlay."]),
    ("ListenDatagram", &["service.listen"]),
    ("ListenStream", &["service.listen"]),
    ("LoadCredential", &["service.credentials."]),
    ("NotifyAccess", &["service.type"]),
    ("OnCalendar", &["service.schedule"]),
    ("Options", &["overlay.", "service.profile"]),
    ("Persistent", &["service.schedule"]),
    ("ProtectSystem", &["service.user", "overlay.mode", "service.profile"]),
    ("ReadWritePaths", &["overlay.writable"]),
    ("Requires", &["service.requires", "image.fallback"]),
    ("RequiresMountsFor", &["service.bind", "overlay.layers", IMAGE]),
    ("RootDirectory", &[IMAGE, "overlay."]),
    ("Service", &["service.listen"]),
    ("StateDirectory", &["service.state"]),
    ("Type", &["service.type", "image.type"]),
    ("Unit", &["service.schedule"]),
    ("User", &["service.user"]),
    ("WantedBy", &["app.autostart"]),
    ("What", &[IMAGE]),
];
const IMAGE: &str = "image.";
/// What a profile can change.
const PROFILE: &str = "service.profile";

pub(super) fn run(context: &Context, args: &Why) -> Result<String> {
    let config = context.config();
    let id = known(context, &config, &args.id)?;
    let (host, _) = Host::load(&config);
    let origins = find(&config, id.as_str()).map(|app| origins(app, &host)).unwrap_or_default();
    let answer = match args.directive.as_deref() {
        None => Answer { keys: origins, unset: &[], lines: Vec::new() },
        Some(name) => {
            let lines = lines(&units(context, &config, &id)?, name);
            let keys = keys(&origins, name, &lines);
            if keys.is_empty() && lines.is_empty() {
                return Err(nothing(&origins, name, args));
            }
            let unset = if keys.is_empty() { follows_from(name) } else { &[] };
            Answer { keys, unset, lines }
        }
    };
    match args.output.json() {
        Some(format) => json::print(&answer.row(), format),
        None => Ok(answer.render()),
    }
}

/// What answers the question.
#[derive(Debug)]
struct Answer {
    /// Keys of the app's files.
    keys: Vec<Origin>,
    /// Keys that could give the value, if none of them is set: then it is the default.
    unset: &'static [&'static str],
    /// Lines of units, in the order systemd reads them.
    lines: Vec<Line>,
}

/// A line of a unit's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Line {
    unit: String,
    file: String,
    line: usize,
    directive: String,
    value: String,
}

/// The keys that a directive of ours follows from; none if we do not write it.
fn follows_from(name: &str) -> &'static [&'static str] {
    WRITTEN.iter().find(|(directive, _)| *directive == name).map_or(&[], |(_, keys)| *keys)
}

/// The keys that a directive follows from, or the key itself and what is below it.
fn keys(origins: &[Origin], name: &str, lines: &[Line]) -> Vec<Origin> {
    let written = follows_from(name);
    let own = format!("service.directives.{name}");
    let below = format!("{name}.");
    let from_profile = lines.iter().any(|line| line.file.contains("40-veneer-profile.conf"));
    let is_meant = |key: &str| {
        key == own
            || key == name
            || key.starts_with(&below)
            || (from_profile && key == PROFILE)
            || written.iter().any(|wanted| key == *wanted || (wanted.ends_with('.') && key.starts_with(wanted)))
    };
    origins.iter().filter(|origin| is_meant(&origin.key)).cloned().collect()
}

/// Every line that sets a directive, unit by unit.
fn lines(units: &[(String, Vec<UnitFile>)], name: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (unit, files) in units {
        for file in files {
            for (at, text) in file.text.lines().enumerate() {
                let Some((directive, value)) = text.split_once('=').filter(|(directive, _)| *directive == name) else {
                    continue;
                };
                let (unit, file) = (unit.clone(), file.path.clone());
                lines.push(Line { unit, file, line: at + 1, directive: directive.into(), value: value.into() });
            }
        }
    }
    lines
}

fn nothing(origins: &[Origin], name: &str, args: &Why) -> anyhow::Error {
    let own = origins.iter().map(|origin| origin.key.trim_start_matches("service.directives."));
    let words = WRITTEN.iter().map(|(directive, _)| *directive).chain(own).filter(|word| *word != name);
    let hint = match follows_from(name) {
        [] => nearest(name, words).map(|word| format!(": did you mean {word:?}?")).unwrap_or_default(),
        keys => format!(": it would follow from {}", shown(keys)),
    };
    fault(Exit::NoInput, format!("nothing in the files and units of {:?} sets {name}{hint}", args.id))
}

/// `service.after, image`
fn shown(keys: &[&str]) -> String {
    let keys: Vec<&str> = keys.iter().map(|key| key.trim_end_matches('.')).collect();
    keys.join(", ")
}

impl Answer {
    fn render(&self) -> String {
        let mut out = String::new();
        let place = |origin: &Origin| format!("{}:{}:{}", origin.file, origin.place.line, origin.place.column);
        let width = self.keys.iter().map(|origin| place(origin).chars().count()).max().unwrap_or(0);
        for origin in &self.keys {
            out.push_str(&format!("{:width$}  {} = {}\n", place(origin), origin.key, origin.value));
        }
        if !self.unset.is_empty() {
            out.push_str(&format!("the default: its files do not set {}\n", shown(self.unset)));
        }
        let mut unit = "";
        for (at, line) in self.lines.iter().enumerate() {
            if line.unit != unit {
                unit = &line.unit;
                out.push_str(&format!("{}{unit}\n", if out.is_empty() { "" } else { "\n" }));
            }
            let last = self.lines.get(at + 1).is_none_or(|next| next.unit != line.unit);
            let over = last && at > 0 && self.lines[at - 1].unit == line.unit;
            let note = if over { "  (read last)" } else { "" };
            out.push_str(&format!("  {}:{}: {}={}{note}\n", line.file, line.line, line.directive, line.value));
        }
        out
    }

    fn row(&self) -> Row<'_> {
        let key = |origin: &'_ Origin| KeyRow {
            key: origin.key.clone(),
            value: origin.value.clone(),
            file: origin.file.clone(),
            line: origin.place.line,
            column: origin.place.column,
        };
        Row { keys: self.keys.iter().map(key).collect(), lines: &self.lines }
    }
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    keys: Vec<KeyRow>,
    lines: &'a [Line],
}

#[derive(Debug, Serialize)]
struct KeyRow {
    key: String,
    value: String,
    file: String,
    line: usize,
    column: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Place;

    fn origin(key: &str) -> Origin {
        let (value, file) = ("1".into(), "/etc/veneer/apps.d/a.toml".into());
        Origin { key: key.into(), value, file, place: Place { line: 3, column: 5 } }
    }

    fn units() -> Vec<(String, Vec<UnitFile>)> {
        let file = |path: &str, text: &str| UnitFile { path: path.into(), text: text.into() };
        let files = vec![
            file("/g/50-veneer.conf", "[Service]\nMemoryMax=1G\n"),
            file("/etc/override.conf", "[Service]\n\nMemoryMax=2G\n"),
        ];
        vec![("app@a.service".into(), files)]
    }

    #[test]
    fn a_directive_leads_to_its_key_and_its_lines() {
        let origins = [origin("service.directives.MemoryMax"), origin("service.exec"), origin("image.file")];
        let lines = lines(&units(), "MemoryMax");
        let keys = keys(&origins, "MemoryMax", &lines);
        let wanted = "/etc/veneer/apps.d/a.toml:3:5  service.directives.MemoryMax = 1\n\napp@a.service\n  \
                      /g/50-veneer.conf:2: MemoryMax=1G\n  /etc/override.conf:3: MemoryMax=2G  (read last)\n";
        assert_eq!(Answer { keys, unset: &[], lines }.render(), wanted);
    }

    /// Everything that an app can say; what it cannot say at once is in the second.
    const FULL: [&str; 2] = [
        r#"
[app]
description = "A"
autostart = true
[image]
file = "/a.raw"
fallback = "/opt/a"
[overlay]
mode = "persistent"
layers = ["/srv/a"]
[service]
type = "notify"
exec = ["/bin/a"]
user = "a"
environment = { A = "1" }
bind = [{ source = "/srv/b", target = "/b" }, { source = "/srv/c", target = "/c", read-only = true }]
credentials = { c = "/etc/c" }
listen = ["80", "udp:81"]
schedule = ["daily"]
after = ["b"]
requires = ["c"]
[service.directives]
MemoryMax = "1G"
"#,
        r#"
[image]
file = "/a.raw"
[overlay]
mode = "volatile"
writable = ["/var/a"]
[service]
exec = ["/bin/a"]
state = true
"#,
    ];
    /// What follows from the id alone, or is the same in every app.
    const FIXED: [&str; 3] = ["SourcePath", "Where", "User"];

    #[test]
    fn whatever_veneer_writes_is_explained() {
        for text in FULL {
            let file = crate::config::File::new("/etc/veneer/apps.d/a.toml", text);
            let apps = vec![("a".into(), file)];
            let config = crate::config::ConfigText::from_dirs(vec![crate::config::Dir { apps, ..Default::default() }]);
            let (host, _) = Host::load(&config);
            let origins = origins(&config.apps[0], &host);
            let generated = crate::generate::all(&config, &[]);
            assert!(!generated.units.to_string().is_empty(), "{:?}", generated.problems);
            let units = generated.units.to_string();
            let names = units.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
            for name in names.filter_map(|line| Some(line.split_once('=')?.0)).filter(|name| !FIXED.contains(name)) {
                let explained = !keys(&origins, name, &[]).is_empty() || !follows_from(name).is_empty();
                assert!(explained, "nothing explains {name}");
            }
        }
    }

    #[test]
    fn what_veneer_writes_leads_to_what_it_follows_from() {
        let origins = [origin("image.file"), origin("image.root-hash"), origin("overlay.mode"), origin("service.exec")];
        let found = |name: &str| keys(&origins, name, &[]).into_iter().map(|origin| origin.key).collect::<Vec<_>>();
        assert_eq!(found("RootDirectory"), ["image.file", "image.root-hash", "overlay.mode"]);
        assert_eq!(found("image"), ["image.file", "image.root-hash"]);
        assert_eq!(found("image.file"), ["image.file"]);
        assert_eq!(found("Nothing"), [""; 0]);
    }
}
