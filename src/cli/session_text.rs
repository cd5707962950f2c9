//! Sessions as rows and as text.
//! Pure; `session` gathers them.

use super::show::States;
use super::style::dot;
use super::table::{Cell, lay_out};
use super::time::date;
use crate::host::session::marks::Place;
use crate::host::terminal::Terminal;
use crate::session::Mark;
use serde::Serialize;

/// A session that would be made, as programs get it.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    pub(super) app: String,
    pub(super) session: String,
    /// The unit that would be started.
    pub(super) unit: String,
}

/// One session as programs get it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) app: String,
    pub(super) session: String,
    /// What makes the copy, and removes it when it is stopped.
    pub(super) unit: String,
    /// What runs the app in it; absent if nothing does.
    app_unit: Option<String>,
    /// Of the unit that made the copy.
    state: String,
    /// Of the app that runs in it; absent if none does.
    app_state: Option<String>,
    kind: Option<String>,
    method: Option<String>,
    why: Option<String>,
    source: Option<String>,
    root_hash: Option<String>,
    pub(super) path: Option<String>,
    data: Option<String>,
    /// Microseconds since the epoch.
    since: Option<u64>,
}

impl Row {
    pub(super) fn new(place: &Place, states: &States) -> Self {
        let (id, name) = (&place.id, &place.name);
        let (unit, app_unit) =
            (format!("veneer-clone-{id}@{name}.service"), format!("app-session-{id}@{name}.service"));
        let runs = states.of(&app_unit);
        let mark = place.mark.clone();
        let of = |get: fn(&Mark) -> &String| mark.as_ref().map(|mark| get(mark).clone());
        Self {
            app: id.to_string(),
            session: name.to_string(),
            state: states.of(&unit).active().to_owned(),
            unit,
            app_unit: runs.is_up().then_some(app_unit),
            app_state: runs.is_up().then(|| runs.active().to_owned()),
            kind: of(|mark| &mark.kind),
            method: of(|mark| &mark.method),
            why: of(|mark| &mark.why),
            source: of(|mark| &mark.source),
            root_hash: mark.as_ref().and_then(|mark| mark.root_hash.clone()),
            path: of(|mark| &mark.path),
            data: of(|mark| &mark.data),
            since: mark.as_ref().map(|mark| mark.since),
        }
    }

    /// What whoever made it needs next: its name, where it is, and what to stop.
    pub(super) fn made(&self) -> String {
        let unit = self.app_unit.as_ref().unwrap_or(&self.unit);
        format!("{} {} {unit}\n", self.session, self.path.as_deref().unwrap_or("-"))
    }

    /// Whether its copy is there for others to use.
    pub(super) fn is_made(&self) -> bool {
        self.state == "active" && self.path.is_some()
    }

    /// A place without a unit that is up is what a crash left.
    fn shown_state(&self) -> &str {
        match self.state.as_str() {
            "inactive" | "failed" => "left over",
            state => state,
        }
    }

    fn cells(&self) -> Vec<Cell> {
        let (sign, style) = dot(&self.state);
        vec![
            Cell::new(format!("{sign} {}", self.app), style),
            self.session.as_str().into(),
            Cell::new(self.shown_state(), style),
            self.app_state.as_deref().unwrap_or("-").into(),
            self.kind.as_deref().unwrap_or("-").into(),
            self.method.as_deref().unwrap_or("-").into(),
            self.path.as_deref().unwrap_or("-").into(),
        ]
    }
}

pub(super) fn render(rows: &[Row], terminal: Terminal) -> String {
    if rows.is_empty() {
        return "there are no sessions\n".into();
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(Row::cells).collect();
    let mut out = lay_out(&["  APP", "SESSION", "STATE", "RUNS", "KIND", "BY", "PATH"], &cells, terminal);
    if rows.iter().any(|row| row.shown_state() == "left over") {
        out.push_str("\nSomething is left over: veneer session gc removes it.\n");
    }
    out
}

/// All that is known of one.
pub(super) fn render_one(row: &Row, mark: Option<&Mark>) -> String {
    let mut out = format!("{} of {}\n", row.session, row.app);
    let mut line = |key: &str, value: &str| out.push_str(&format!("{key:>10}: {value}\n"));
    line("State", row.shown_state());
    line("Unit", &row.unit);
    line("Runs", row.app_state.as_deref().unwrap_or("no"));
    if let Some(mark) = mark {
        line("Kind", &format!("{}, by {}", mark.kind, mark.method));
        line("Why", &mark.why);
        line("Copy of", &mark.source);
        if let Some(root_hash) = &mark.root_hash {
            line("Root hash", root_hash);
        }
        line("Path", &mark.path);
        line("Data", &mark.data);
        line("Since", &date(mark.since / 1_000_000));
    }
    out
}
