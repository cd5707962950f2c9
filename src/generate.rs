//! All apps to all units: what the generator writes, what a dry run prints, what `veneer diff` compares.
//! Pure: it takes the files' text and the marks of what is up, and gives units and Problems.
//! One app's fault stays that app's; what a running app was set up from is written on even if its file is
//! broken or gone, so that systemd can undo it (systemd.generator(7) knows no such thing: the rule is ours).

use crate::config::{AppState, AppText, ConfigText, Host, load_app, load_overlay};
use crate::name::AppId;
use crate::plan;
use crate::problem::{Problem, Severity};
use crate::unit::{Content, Duplicate, UnitSet};

/// An app whose chain is up, or that has sessions, with the files below the generator's directory that it was set up from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The app.
    pub id: AppId,
    /// Path and content of each.
    pub files: Vec<(String, Content)>,
    /// Whether it has sessions, which need their template's text to be removed by.
    pub has_sessions: bool,
}

/// What came of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Its units.
    pub units: UnitSet,
    /// What is wrong or odd about it.
    pub problems: Vec<Problem>,
}

impl Generated {
    /// Whether the app is as good as not configured.
    pub fn is_bad(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// The units of one app, and what a running one still needs.
pub fn app(text: &AppText, host: &Host<'_>, live: Option<&Live>) -> Generated {
    if text.state() == AppState::Masked {
        return Generated { units: still_needed(live), problems: Vec::new() };
    }
    match load_app(text, host) {
        Err(problems) => Generated { units: still_needed(live), problems },
        Ok(loaded) => match plan::units(&loaded.app) {
            Ok(mut units) => {
                keep_mounts(&mut units, live);
                Generated { units, problems: loaded.warnings }
            }
            Err(duplicate) => Generated { units: still_needed(live), problems: vec![twice(text, &duplicate)] },
        },
    }
}

/// The units of one declared overlay over the host.
pub fn overlay(text: &AppText) -> Generated {
    if text.state() == AppState::Masked {
        return Generated::default();
    }
    match load_overlay(text) {
        Err(problems) => Generated { units: UnitSet::default(), problems },
        Ok(spec) => match crate::overlay::units::of_spec(&spec) {
            Ok(units) => Generated { units, problems: Vec::new() },
            Err(duplicate) => Generated { units: UnitSet::default(), problems: vec![twice(text, &duplicate)] },
        },
    }
}

/// Every app of a host in one set, in the order of ids: the dry run.
pub fn all(text: &ConfigText, live: &[Live]) -> Generated {
    let (host, mut problems) = Host::load(text);
    problems.extend(text.problems.iter().cloned());
    let mut units = plan::reaper(&host.settings);
    let configured = text.apps.iter().map(|text| app(text, &host, of(live, &text.id)));
    let overlays = text.overlays.iter().map(overlay);
    for generated in configured.chain(orphans(text, live)).chain(overlays) {
        problems.extend(generated.problems);
        if let Err(Duplicate { path }) = units.merge(generated.units) {
            let text = format!("two apps or overlays want the unit {path}");
            problems.push(Problem { file: path, place: None, key: String::new(), text, severity: Severity::Error });
        }
    }
    Generated { units, problems }
}

/// The units of apps that are up and no longer configured at all.
pub fn orphans<'a>(text: &'a ConfigText, live: &'a [Live]) -> impl Iterator<Item = Generated> + 'a {
    let gone = live.iter().filter(|live| text.app(live.id.as_str()).is_none());
    gone.map(|live| Generated { units: still_needed(Some(live)), problems: Vec::new() })
}

/// The mark of one app.
pub fn of<'a>(live: &'a [Live], id: &AppId) -> Option<&'a Live> {
    live.iter().find(|live| live.id == *id)
}

/// Everything of an app that is up, as it was when it came up. A mark names no path but the app's own.
fn still_needed(live: Option<&Live>) -> UnitSet {
    let mut units = UnitSet::default();
    if let Some(live) = live {
        keep(&mut units, live, &plan::unit_files(&live.id));
        keep_sessions(&mut units, live);
    }
    units
}

/// Mounts that the app has up and its new configuration has not: without their text they would stay behind.
fn keep_mounts(units: &mut UnitSet, live: Option<&Live>) {
    if let Some(live) = live {
        keep(units, live, &plan::chain_files(&live.id));
        keep_sessions(units, live);
    }
}

/// Sessions that are there are removed by the text of their template, whatever became of the app's file.
fn keep_sessions(units: &mut UnitSet, live: &Live) {
    if !live.has_sessions {
        return;
    }
    keep(units, live, &plan::session_files(&live.id));
    let leftover = plan::leftover_sessions(&live.id);
    // An app that still has sessions has its own templates; of one whose mark has some of them, the rest is added.
    if leftover.iter().any(|(path, _)| path.starts_with("veneer-clone-") && units.has(path)) {
        return;
    }
    for (path, content) in leftover.iter() {
        if !units.has(path) {
            let _ = units.add(path.to_owned(), content.clone());
        }
    }
}

fn keep(units: &mut UnitSet, live: &Live, own: &[String]) {
    for (path, content) in live.files.iter().filter(|(path, _)| own.contains(path)) {
        // What the configuration has itself wins.
        if !units.has(path) {
            let _ = units.add(path.clone(), content.clone());
        }
    }
}

fn twice(text: &AppText, duplicate: &Duplicate) -> Problem {
    Problem {
        file: text.file.path.to_string(),
        place: None,
        key: String::new(),
        text: format!("two of its parts want the unit {}", duplicate.path),
        severity: Severity::Error,
    }
}
