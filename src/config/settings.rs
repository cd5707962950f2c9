//! `veneer.toml`: what holds for the whole host, and what every app's file is read against.
//! It reads no app.
//! The keys are veneer.toml(5)'s. A policy that cannot be read is taken for the strictest: fail closed.

use super::keys::{self, SETTINGS};
use super::merge::{merge, reset};
use super::node::{At, Table, parse};
use super::prune;
use super::read::Fields;
use super::report::Report;
use super::session;
use super::template::Templates;
use super::text::ConfigText;
use crate::app::{Limits, Settings, Trust};
use crate::layout::{SESSION_DATA, STORE_ROOTS, path};
use crate::path::AbsPath;
use crate::problem::Problem;

/// The host that apps are configured for.
#[derive(Debug)]
pub struct Host<'a> {
    /// Its settings.
    pub settings: Settings,
    /// Where `policy.require` stands, `FILE:LINE:COLUMN`, if it asks for anything.
    pub(super) policy: Option<String>,
    pub(super) templates: Templates<'a>,
    pub(super) text: &'a ConfigText,
}

impl<'a> Host<'a> {
    /// Reads `veneer.toml`, its drop-ins and the templates; the Problems are those of the host's own files
    /// (a template's come with the apps that extend it).
    pub fn load(text: &'a ConfigText) -> (Self, Vec<Problem>) {
        let mut report = Report::default();
        let mut table = Table::new();
        let mut unread = None;
        for file in &text.settings {
            match parse(file) {
                Ok(mut layer) => {
                    reset(&mut table, &mut layer, &mut report, |key| keys::may_reset(SETTINGS, key));
                    merge(&mut table, layer);
                }
                Err(problem) => {
                    unread = Some(problem.file.clone());
                    report.push(problem);
                }
            }
        }
        let mut host = Self { settings: defaults(), policy: None, templates: Templates::parse(text), text };
        host.read(&table, &mut report);
        if let Some(file) = unread {
            host.strictest(format!("{file}, which cannot be read"));
        }
        (host, report.into_problems())
    }

    fn read(&mut self, table: &Table<'_>, report: &mut Report) {
        let top = Fields::top(SETTINGS, table, report);
        let (store, policy) = (top.section(SETTINGS, "store", report), top.section(SETTINGS, "policy", report));
        session::settings(top.section(SETTINGS, "session", report), &mut self.settings, report);
        if let Some(field) = store.get("roots") {
            let roots = field.list(report, AbsPath::parse);
            self.settings.roots = roots.into_iter().map(|(_, root)| root).collect();
        }
        self.settings.prune = prune::read(top.section(SETTINGS, "prune", report), report, self.settings.prune);
        if let Some(field) = policy.get("require") {
            match field.choice(report, &Trust::NAMES) {
                Some(rank) => self.ask_for(rank, field.at),
                None => self.strictest(format!("{}, which cannot be read", shown(field.at))),
            }
        } else if policy.has_strangers() {
            self.strictest(format!("[policy] of {}, which cannot be read", policy.at.map(shown).unwrap_or_default()));
        }
    }

    fn ask_for(&mut self, rank: usize, at: At<'_>) {
        self.settings.least_trust = rank;
        self.policy = (rank > 0).then(|| shown(at));
    }

    fn strictest(&mut self, place: String) {
        self.settings.least_trust = Trust::NAMES.len() - 1;
        self.policy = Some(place);
    }
}

fn shown(at: At<'_>) -> String {
    let place = at.place();
    format!("{}:{}:{}", at.file.path, place.line, place.column)
}

fn defaults() -> Settings {
    Settings {
        roots: STORE_ROOTS.iter().map(|root| path(root)).collect(),
        least_trust: 0,
        prune: Default::default(),
        sessions: path(SESSION_DATA),
        session_limits: Limits { per_app: 1024, in_all: 4096 },
    }
}
