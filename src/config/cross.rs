//! Looks at all apps together: who waits for whom, who listens where.
//! It reads no file; each app by itself has been checked in `app`.
//! What systemd does about cycles is in systemd.unit(5), "After="; these are warnings, since each app alone works.

use crate::app::{App, Listen};
use crate::name::AppId;
use crate::problem::{Problem, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// What apps do to one another; costs nothing for apps that neither wait nor listen.
pub fn cross_check<'a>(apps: impl IntoIterator<Item = &'a App>) -> Vec<Problem> {
    let apps: Vec<&App> = apps.into_iter().collect();
    let mut problems = doubled_addresses(&apps);
    problems.extend(cycles(&apps));
    problems.sort();
    problems
}

fn warning(app: &App, key: &str, text: String) -> Problem {
    Problem { file: app.source.to_string(), place: None, key: key.into(), text, severity: Severity::Warning }
}

fn doubled_addresses(apps: &[&App]) -> Vec<Problem> {
    let mut first: BTreeMap<(bool, &str), &App> = BTreeMap::new();
    let mut problems = Vec::new();
    for app in apps {
        for listen in &app.service.listen {
            let (datagram, text) = match listen {
                Listen::Stream(text) => (false, text.as_str()),
                Listen::Datagram(text) => (true, text.as_str()),
            };
            let other = first.entry((datagram, text)).or_insert(app);
            if other.id != app.id {
                let text = format!("the app {} listens on {text:?} as well: only one of them can start", other.id);
                problems.push(warning(app, "service.listen", text));
            }
        }
    }
    problems
}

type Edges<'a> = BTreeMap<&'a AppId, (&'a App, Vec<&'a AppId>)>;

/// One warning for each cycle, at its first app by id.
fn cycles(apps: &[&App]) -> Vec<Problem> {
    let waiting = apps.iter().filter(|app| !app.service.after.is_empty() || !app.service.requires.is_empty());
    let edges: Edges<'_> =
        waiting.map(|app| (&app.id, (*app, app.service.after.iter().chain(&app.service.requires).collect()))).collect();
    let mut done = BTreeSet::new();
    let mut problems = Vec::new();
    for id in edges.keys() {
        if let Some(cycle) = walk(id, &edges, &mut done) {
            let names: Vec<&str> = cycle.iter().map(|id| id.as_str()).chain([cycle[0].as_str()]).collect();
            let text = format!("apps wait for one another, and systemd will drop one of them: {}", names.join(" -> "));
            problems.extend(edges.get(cycle[0]).map(|(app, _)| warning(app, "service.after", text)));
        }
    }
    problems
}

/// Follows who waits for whom, depth first and without recursion; the first cycle met, its least id first.
fn walk<'a>(from: &'a AppId, edges: &Edges<'a>, done: &mut BTreeSet<&'a AppId>) -> Option<Vec<&'a AppId>> {
    let mut path: Vec<(&AppId, usize)> = if done.contains(from) { Vec::new() } else { vec![(from, 0)] };
    let mut cycle = None;
    while let Some((id, next)) = path.last_mut() {
        let target = edges.get(*id).and_then(|(_, targets)| targets.get(*next)).copied();
        *next += 1;
        match target {
            None => {
                done.insert(*id);
                path.pop();
            }
            Some(target) if done.contains(target) => {}
            Some(target) => match path.iter().position(|(seen, _)| *seen == target) {
                Some(at) if cycle.is_none() => cycle = Some(path[at..].iter().map(|(id, _)| *id).collect::<Vec<_>>()),
                Some(_) => {}
                None => path.push((target, 0)),
            },
        }
    }
    let mut cycle = cycle?;
    let least = cycle.iter().enumerate().min_by_key(|(_, id)| **id).map_or(0, |(at, _)| at);
    cycle.rotate_left(least);
    Some(cycle)
}
