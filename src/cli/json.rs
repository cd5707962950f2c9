//! JSON for programs, short or pretty.
//! Each verb has its own rows; their field names are part of the interface and never change their meaning.

use super::args::Json;
use crate::problem::{Problem, Severity};
use anyhow::{Context, Result};
use serde::Serialize;

/// A value as text, with a newline behind it.
pub(super) fn print(value: &impl Serialize, format: Json) -> Result<String> {
    let text = match format {
        Json::Short => serde_json::to_string(value),
        Json::Pretty | Json::Off => serde_json::to_string_pretty(value),
    };
    text.map(|text| text + "\n").context("writing JSON")
}

/// A Problem as a row.
#[derive(Debug, Serialize)]
pub(super) struct ProblemRow<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    key: Option<&'a str>,
    text: &'a str,
    severity: &'static str,
}

impl<'a> From<&'a Problem> for ProblemRow<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            file: &problem.file,
            line: problem.place.map(|place| place.line),
            column: problem.place.map(|place| place.column),
            key: Some(problem.key.as_str()).filter(|key| !key.is_empty()),
            text: &problem.text,
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
        }
    }
}
