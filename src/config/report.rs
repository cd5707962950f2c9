//! Collects the Problems of one app.
//! It does not print and does not decide what is wrong; it adds file, place and key.
//! The tone: lower case, one sentence, no full stop, and it says what to write.

use super::node::At;
use crate::problem::{Place, Problem, Severity, nearest};
use std::fmt;

/// A key in full, put together only when something is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'k> {
    section: &'k str,
    name: &'k str,
}

impl<'k> Key<'k> {
    /// A key at the top of a file, or a section.
    pub(super) const fn top(name: &'k str) -> Self {
        Self { section: "", name }
    }

    /// A key of a section.
    pub(super) const fn of(section: &'k str, name: &'k str) -> Self {
        Self { section, name }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.section.is_empty() || self.name.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}", self.section, self.name)
    }
}

/// The Problems so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
}

impl Report {
    pub(super) fn error(&mut self, at: At<'_>, key: Key<'_>, text: impl Into<String>) {
        self.add(at, key, text.into(), Severity::Error);
    }

    pub(super) fn warning(&mut self, at: At<'_>, key: Key<'_>, text: impl Into<String>) {
        self.add(at, key, text.into(), Severity::Warning);
    }

    /// An error about what a section lacks: at the section if there is one, else about the file as a whole.
    pub(super) fn missing(&mut self, section: Option<At<'_>>, file: &str, key: Key<'_>, text: impl Into<String>) {
        if let Some(at) = section {
            return self.error(at, key, text);
        }
        self.problems.push(problem(file, None, &key.to_string(), &text.into(), Severity::Error));
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn add(&mut self, at: At<'_>, key: Key<'_>, text: String, severity: Severity) {
        self.problems.push(problem(&at.file.path, Some(at.place()), &key.to_string(), &text, severity));
    }

    /// Whether an error is among them.
    pub(super) fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them: by file as they were read, by place within.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }
}

/// A Problem that is one line whatever the user typed.
pub(super) fn problem(file: &str, place: Option<Place>, key: &str, text: &str, severity: Severity) -> Problem {
    Problem { file: one_line(file), place, key: one_line(key), text: one_line(text), severity }
}

fn one_line(text: &str) -> String {
    if text.contains(char::is_control) { text.escape_debug().to_string() } else { text.into() }
}

/// `: did you mean "x"?`, or nothing if no word is near; to one or two letters, every word is.
pub(super) fn did_you_mean<'w>(typed: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    if typed.len() < 3 {
        return String::new();
    }
    nearest(typed, words).map(|word| format!(": did you mean {word:?}?")).unwrap_or_default()
}

/// `a, b or c`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
