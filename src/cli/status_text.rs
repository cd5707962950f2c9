//! How `veneer status` shows one app to people.
//! Pure; what is shown comes in ready (`status` gathers it).
//! The look is that of `systemctl status`: a dot, keys to the right, the tree of units below.

use super::mountinfo::Mount;
use super::show::UnitState;
use super::style::{Style, dot};
use super::time::{bytes, date, since, span};
use super::tree::{Node, draw};
use crate::host::terminal::Colour;
use crate::live::{LiveMark, LiveSource, Shown};
use crate::problem::{Problem, Severity};
use crate::version::Standing;
use serde::Serialize;

/// One app as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    pub(super) id: String,
    pub(super) description: String,
    /// In a word, over all of its units.
    pub(super) state: String,
    /// How its configuration stands, unless it is good: `broken`, `masked`, `gone`.
    pub(super) configuration: Option<&'static str>,
    pub(super) files: Vec<String>,
    pub(super) problems: Vec<Problem>,
    /// What it is to run from, and what that must show.
    pub(super) wanted: Option<(String, &'static str)>,
    /// The versions of its image, the newest first, if it is made from a container image.
    pub(super) versions: Vec<VersionStatus>,
    pub(super) mark: Option<LiveMark>,
    pub(super) stale: Vec<String>,
    /// What the kernel found damaged.
    pub(super) damage: Vec<String>,
    /// Its units, its service first.
    pub(super) units: Vec<UnitStatus>,
    /// The last errors of a unit that failed, by the unit's name.
    pub(super) journal: Vec<(String, Vec<String>)>,
}

/// One version of its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct VersionStatus {
    pub(super) version: u64,
    pub(super) image: String,
    pub(super) standing: Standing,
}

/// One unit of it.
#[derive(Clone, Debug, Default)]
pub(super) struct UnitStatus {
    pub(super) unit: String,
    pub(super) part: Part,
    pub(super) state: UnitState,
    /// What is mounted at its place, if it is a mount.
    pub(super) mount: Option<Mount>,
    /// What it opened, if it opens images.
    pub(super) device: Option<String>,
}

/// What a unit is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    #[default]
    Service,
    Root,
    Overlay,
    Rw,
    Image,
    Verity,
    Convert,
    Pull,
    Socket,
    Timer,
}

/// All about one app.
pub(super) fn render(status: &Status, now: u64, colour: Colour) -> String {
    let (sign, style) = dot(&status.state);
    let mut out = style.paint(colour, sign);
    out.push(' ');
    out.push_str(&Style::Bold.paint(colour, &status.id));
    if !status.description.is_empty() {
        out.push_str(&format!(" - {}", status.description));
    }
    out.push('\n');
    for (key, value, style) in lines(status, now) {
        out.push_str(&format!("{key:>13}: {}\n", style.paint(colour, &value)));
    }
    for node in trees(status, now, colour) {
        out.push_str(&draw(&node, "             "));
    }
    for (unit, lines) in &status.journal {
        out.push_str(&format!("\n{}\n", Style::Bold.paint(colour, &format!("The last of {unit}:"))));
        for line in lines {
            out.push_str(&format!("  {line}\n"));
        }
    }
    out
}

type Line = (&'static str, String, Style);

fn lines(status: &Status, now: u64) -> Vec<Line> {
    let mut lines = Vec::new();
    let begun = status.units.first().and_then(|unit| unit.state.since()).map(|at| since(at, now));
    let begun = begun.map(|begun| format!(" since {begun}")).unwrap_or_default();
    lines.push(("State", format!("{}{begun}", status.state), dot(&status.state).1));
    let text = status.units.first().map_or("", |unit| unit.state.get("StatusText"));
    if !text.is_empty() {
        lines.push(("Status", format!("\"{text}\""), Style::Plain));
    }
    let standing = status.configuration.map(|word| (format!(" ({word})"), Style::Bad));
    let (note, style) = standing.unwrap_or((String::new(), Style::Plain));
    lines.push(("Configuration", format!("{}{note}", status.files.join(", ")).trim_start().to_owned(), style));
    lines.extend(status.problems.iter().map(problem));
    match (&status.mark, &status.wanted) {
        (Some(mark), _) => lines.extend(origin(&mark.source)),
        (None, Some((source, "directory"))) => lines.push(("Directory", source.clone(), Style::Plain)),
        (None, Some((source, require))) => {
            lines.push(("Image", source.clone(), Style::Plain));
            lines.push(("Requires", requires(require).to_owned(), Style::Plain));
        }
        (None, None) => {}
    }
    lines.extend(status.versions.iter().map(|version| {
        let style = if version.standing == Standing::OnTrial { Style::Warning } else { Style::Plain };
        let VersionStatus { version, image, standing } = version;
        ("Version", format!("{version} ({}): {image}", standing.words()), style)
    }));
    lines.extend(status.damage.iter().map(|damage| ("Damaged", damage.clone(), Style::Bad)));
    // Of a file that is gone systemd says so for ever.
    let there = status.configuration != Some("gone");
    if there && status.units.iter().any(|unit| unit.state.get("NeedDaemonReload") == "yes") {
        let told = "systemd has not read its files since they changed: veneer reload";
        lines.push(("Reload", told.to_owned(), Style::Warning));
    }
    let advice = format!("systemctl stop app@{}, then start", status.id);
    lines.extend(status.stale.iter().map(|reason| ("Stale", format!("{reason}: {advice}"), Style::Warning)));
    lines
}

fn problem(problem: &Problem) -> Line {
    let style = if problem.severity == Severity::Error { Style::Bad } else { Style::Warning };
    ("Problem", problem.to_string(), style)
}

/// Where a live root comes from, and what it has shown.
fn origin(source: &LiveSource) -> Vec<Line> {
    match source {
        LiveSource::Directory(path) => {
            vec![("Directory", path.clone(), Style::Plain), ("Verified", "no: a plain directory".into(), Style::Plain)]
        }
        LiveSource::Fallback { directory, looked_for } => {
            let why = format!("no: there was no image, not even {}", looked_for.join(", "));
            vec![("Fallback", directory.clone(), Style::Warning), ("Verified", why, Style::Warning)]
        }
        LiveSource::Image(image) => {
            let (shown, style) = shown(&image.shown);
            let mut lines = vec![
                ("Image", format!("{} ({})", image.file.path, image.kind), Style::Plain),
                ("Verified", shown.to_owned(), style),
            ];
            lines.extend(image.shown.root_hash().map(|hash| ("Root hash", hash.to_string(), Style::Plain)));
            lines
        }
    }
}

fn shown(shown: &Shown) -> (&'static str, Style) {
    match shown {
        Shown::Nothing => ("no: image.require = \"none\"", Style::Warning),
        Shown::Integrity(_) => ("integrity only: the root hash came from the file beside the image", Style::Plain),
        Shown::Pinned(_) => ("integrity and authenticity: the configuration pins the root hash", Style::Good),
        Shown::Signed(_) => ("integrity and authenticity: signed, checked in user space", Style::Good),
        Shown::SignedKernel(_) => {
            ("integrity and authenticity: signed, checked in user space and by the kernel", Style::Good)
        }
    }
}

fn requires(require: &str) -> &str {
    match require {
        "none" => "nothing: image.require = \"none\"",
        "verity" => "integrity: the root hash comes from the file beside the image",
        "pinned" => "integrity and authenticity: the configuration pins the root hash",
        "signed" => "integrity and authenticity: a signature by a certificate in verity.d",
        other => other,
    }
}

/// The chain, each unit above what it needs; socket and timer stand beside it.
fn trees(status: &Status, now: u64, colour: Colour) -> Vec<Node> {
    let node = |part: Part, below: Vec<Node>| {
        let unit = status.units.iter().find(|unit| unit.part == part)?;
        Some(Node::new(line(unit, now, colour), below))
    };
    let all = |nodes: Vec<Option<Node>>| nodes.into_iter().flatten().collect::<Vec<_>>();
    let convert = node(Part::Convert, all(vec![node(Part::Pull, Vec::new())]));
    let verity = node(Part::Verity, all(vec![convert]));
    let overlay = node(Part::Overlay, all(vec![node(Part::Rw, Vec::new())]));
    let image = node(Part::Image, all(vec![verity.clone()])).or(verity);
    let below = match node(Part::Root, all(vec![overlay.clone(), image.clone()])) {
        Some(root) => vec![root],
        None => all(vec![overlay, image]),
    };
    all(vec![node(Part::Socket, Vec::new()), node(Part::Timer, Vec::new()), node(Part::Service, below)])
}

fn line(unit: &UnitStatus, now: u64, colour: Colour) -> String {
    let (sign, style) = dot(unit.state.active());
    let age = unit.state.since().map(|at| format!(", for {}", span(now.saturating_sub(at)))).unwrap_or_default();
    let told = if unit.state.active() == "active" { active(unit) + &age } else { inactive(unit, now) };
    format!("{} {}  {told}", style.paint(colour, sign), unit.unit)
}

/// What an active unit does.
fn active(unit: &UnitStatus) -> String {
    let state = &unit.state;
    match (unit.part, &unit.mount) {
        (_, Some(mount)) if !mount.source.starts_with('/') => format!("{}, {}", mount.kind, mount.access),
        (_, Some(mount)) => format!("{}, {}, from {}", mount.kind, mount.access, mount.source),
        (Part::Service, None) => {
            let pid = state.number("MainPID").filter(|pid| *pid > 0).map(|pid| format!(", PID {pid}"));
            let memory = state.number("MemoryCurrent").map(|memory| format!(", {}", bytes(memory)));
            let restarts = state.number("NRestarts").filter(|n| *n > 0).map(|n| format!(", restarted {n} times"));
            let more = [pid, memory, restarts].into_iter().flatten().collect::<String>();
            format!("{}{more}", state.get("SubState"))
        }
        (Part::Verity, None) => unit.device.clone().unwrap_or_else(|| state.get("SubState").to_owned()),
        (Part::Socket, None) => listening(state.get("Listen")),
        (Part::Timer, None) => match state.time("NextElapseUSecRealtime") {
            None => state.get("SubState").to_owned(),
            Some(next) => format!("next {}", date(next)),
        },
        _ => state.get("SubState").to_owned(),
    }
}

/// `[::]:8080 (Stream)`, as systemd says it.
fn listening(listen: &str) -> String {
    if listen.is_empty() { "listening".into() } else { format!("listening on {listen}") }
}

fn inactive(unit: &UnitStatus, now: u64) -> String {
    let state = &unit.state;
    let result = Some(state.get("Result")).filter(|result| !matches!(*result, "" | "success"));
    let code = state.number("ExecMainStatus").filter(|code| *code > 0).map(|code| format!(", status {code}"));
    let result = result.map(|result| format!(": {result}{}", code.unwrap_or_default())).unwrap_or_default();
    let since = state.since().map(|at| format!(" since {}", since(at, now))).unwrap_or_default();
    let text = Some(state.get("StatusText")).filter(|text| state.active() == "activating" && !text.is_empty());
    let text = text.map(|text| format!(", {text}")).unwrap_or_default();
    format!("{}{since}{result}{text}", state.active())
}

#[cfg(test)]
mod tests {
    use super::super::show::States;
    use super::*;

    fn unit(unit: &str, part: Part, properties: &str) -> UnitStatus {
        let states = States::parse(&format!("Id={unit}\n{properties}"));
        let state = states.of(unit).clone();
        UnitStatus { unit: unit.into(), part, state, mount: None, device: None }
    }

    #[test]
    fn a_running_app_is_shown_with_its_chain() {
        let mut image = unit("image.mount", Part::Image, "ActiveState=active\n");
        image.mount = Some(Mount { kind: "erofs".into(), source: "/dev/dm-0".into(), access: "ro" });
        let mut verity = unit("verity", Part::Verity, "ActiveState=active\n");
        verity.device = Some("device dm-0 (veneer-a-1)".into());
        let service = "ActiveState=active\nSubState=running\nMainPID=7\nStateChangeTimestamp=@60\n";
        let status = Status {
            id: "a".into(),
            description: "An app".into(),
            state: "active".into(),
            files: vec!["/etc/veneer/apps.d/a.toml".into()],
            wanted: Some(("/a.raw".into(), "pinned")),
            versions: vec![
                VersionStatus { version: 2, image: "sha256-12".into(), standing: Standing::OnTrial },
                VersionStatus { version: 1, image: "sha256-34".into(), standing: Standing::Previous },
            ],
            units: vec![unit("app@a.service", Part::Service, service), image, verity],
            stale: vec!["/a.raw has changed".into()],
            ..Status::default()
        };
        let wanted = "\
● a - An app
        State: active since 1970-01-01 00:01:00 UTC; 1min ago
Configuration: /etc/veneer/apps.d/a.toml
        Image: /a.raw
     Requires: integrity and authenticity: the configuration pins the root hash
      Version: 2 (current, on trial): sha256-12
      Version: 1 (previous): sha256-34
        Stale: /a.raw has changed: systemctl stop app@a, then start
             ● app@a.service  running, PID 7, for 1min
             └─● image.mount  erofs, ro, from /dev/dm-0
               └─● verity  device dm-0 (veneer-a-1)
";
        assert_eq!(render(&status, 120, Colour::Off), wanted);
    }

    #[test]
    fn an_image_that_is_being_fetched_is_shown_below_all_that_waits_for_it() {
        let pulling = "ActiveState=activating\nStatusText=pulling docker://r.example/a: 12M\n";
        let status = Status {
            id: "a".into(),
            state: "activating".into(),
            units: vec![
                unit("app@a.service", Part::Service, ""),
                unit("veneer-verity@a.service", Part::Verity, ""),
                unit("veneer-convert@a.service", Part::Convert, ""),
                unit("veneer-pull@a.service", Part::Pull, pulling),
            ],
            ..Status::default()
        };
        let text = render(&status, 61, Colour::Off);
        let wanted = "\
             ○ app@a.service  inactive
             └─○ veneer-verity@a.service  inactive
               └─○ veneer-convert@a.service  inactive
                 └─● veneer-pull@a.service  activating, pulling docker://r.example/a: 12M
";
        assert!(text.ends_with(wanted), "{text}");
    }

    #[test]
    fn a_failed_app_says_why() {
        let failed = "ActiveState=failed\nResult=exit-code\nExecMainStatus=65\nStateChangeTimestamp=@60\n";
        let status = Status {
            id: "a".into(),
            state: "failed".into(),
            configuration: Some("gone"),
            units: vec![
                unit("app@a.service", Part::Service, ""),
                unit("veneer-verity@a.service", Part::Verity, failed),
            ],
            journal: vec![("veneer-verity@a.service".into(), vec!["it is broken".into()])],
            ..Status::default()
        };
        let text = render(&status, 61, Colour::Off);
        assert!(text.contains("Configuration: (gone)\n"), "{text}");
        assert!(text.contains("× veneer-verity@a.service  failed since"), "{text}");
        assert!(text.contains("1s ago: exit-code, status 65\n"), "{text}");
        assert!(text.ends_with("\nThe last of veneer-verity@a.service:\n  it is broken\n"), "{text}");
    }
}
