//! `veneer list`: every app on a line.
//! The state is systemd's where one runs, and unknown with `--root`.

use super::apps::{Standing, View, source, state, trust, views};
use super::args::List;
use super::check::number;
use super::context::{Context, unit_patterns};
use super::json;
use super::show::States;
use super::style::{Style, dot};
use super::table::{Cell, lay_out};
use crate::host::below_root;
use crate::host::terminal::Terminal;
use crate::plan::Names;
use anyhow::Result;
use serde::Serialize;

pub(super) fn run(context: &Context, args: &List) -> Result<String> {
    let live = context.live();
    let views = views(&context.config(), live.iter().map(|live| &live.id));
    let states = context.states(&unit_patterns())?;
    let row = |view: &View| {
        let link = format!("{WANTS}/{}", Names::new(&view.id).app);
        let linked = below_root::exists(&context.at(&link));
        Row { linked, ..Row::new(view, context.systemd.map(|_| &states)) }
    };
    let rows: Vec<Row> = views.iter().map(row).collect();
    match args.output.json() {
        Some(format) => json::print(&rows, format),
        None => Ok(render(&rows, context.terminal)),
    }
}

/// Where `systemctl enable` links what has `WantedBy=multi-user.target`.
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

/// One app as programs get it.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    state: Option<String>,
    configuration: &'static str,
    image: Option<String>,
    trust: Option<&'static str>,
    autostart: bool,
    /// By `systemctl enable`.
    linked: bool,
    errors: usize,
    warnings: usize,
    description: String,
    file: Option<String>,
}

impl Row {
    fn new(view: &View, states: Option<&States>) -> Self {
        let app = view.app.as_ref();
        Self {
            id: view.id.to_string(),
            state: states.map(|states| state(&Names::new(&view.id), states).to_owned()),
            configuration: view.standing.name(),
            image: app.map(source),
            trust: app.map(trust),
            autostart: view.autostart(),
            linked: false,
            errors: view.errors(),
            warnings: view.problems.len() - view.errors(),
            description: view.description().to_owned(),
            file: view.files.first().cloned(),
        }
    }

    fn cells(&self) -> Vec<Cell> {
        let state = self.state.as_deref();
        let (sign, style) = dot(state.unwrap_or_default());
        let sign = if state.is_some() { sign } else { " " };
        let (shown, style) = match (self.configuration, state) {
            ("broken", None | Some("inactive" | "failed")) => ("broken", Style::Bad),
            ("masked", None | Some("inactive")) => ("masked", Style::Faint),
            (_, state) => (state.unwrap_or("-"), style),
        };
        vec![
            Cell::new(format!("{sign} {}", self.id), if sign == " " { Style::Plain } else { style }),
            Cell::new(shown, style),
            self.trust.unwrap_or("-").into(),
            self.started_by_boot().into(),
            self.problems(),
            self.image.as_deref().unwrap_or("-").into(),
            self.description.as_str().into(),
        ]
    }

    fn started_by_boot(&self) -> &'static str {
        match (self.autostart, self.linked) {
            (true, _) => "yes",
            (false, true) => "systemctl",
            (false, false) => "no",
        }
    }

    fn problems(&self) -> Cell {
        match (self.configuration, self.errors, self.warnings) {
            ("gone", ..) => Cell::new("no file", Style::Bad),
            (_, 0, 0) => "-".into(),
            (_, 0, warnings) => Cell::new(number(warnings, "warning"), Style::Warning),
            (_, errors, _) => Cell::new(number(errors, "error"), Style::Bad),
        }
    }
}

fn render(rows: &[Row], terminal: Terminal) -> String {
    if rows.is_empty() {
        return "no app is configured: each is a file in /etc/veneer/apps.d, see veneer.app(5)\n".into();
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(Row::cells).collect();
    let headings = ["  APP", "STATE", "TRUST", "AUTOSTART", "PROBLEMS", "IMAGE", "DESCRIPTION"];
    lay_out(&headings, &cells, terminal) + &legend(rows)
}

/// How to go on, if something is wrong.
fn legend(rows: &[Row]) -> String {
    let broken = rows.iter().filter(|row| row.configuration == Standing::Broken.name()).count();
    let failed = rows.iter().filter(|row| row.state.as_deref() == Some("failed")).count();
    let mut out = String::new();
    if broken > 0 {
        out.push_str(&format!("\n{} broken: veneer check says why.\n", are(broken)));
    } else if failed > 0 {
        out.push_str(&format!("\n{} failed: veneer status says why.\n", number(failed, "app")));
    }
    out
}

fn are(n: usize) -> String {
    format!("{} {}", number(n, "app"), if n == 1 { "is" } else { "are" })
}
