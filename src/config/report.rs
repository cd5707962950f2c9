//! Collects the Problems of one app.
//! It does not print and does not decide what is wrong; it adds file, place and key.
//! The tone: lower case, one sentence, no full stop, and it says what to write.

use super::node::At;
use super::text::File;
use crate::problem::{Place, Problem, Severity, nearest};
use std::fmt;

/// A key in full, put together only when something is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'k> {
    section: &'k str,
    /// What somebody called the section, in a table that takes any name.
    entry: &'k str,
    name: &'k str,
}

impl<'k> Key<'k> {
    /// A key at the top of a file, or a section.
    pub(super) const fn top(name: &'k str) -> Self {
        Self { section: "", entry: "", name }
    }

    /// A key of a section.
    pub(super) const fn of(section: &'k str, name: &'k str) -> Self {
        Self { section, entry: "", name }
    }

    /// A key of a section that has a name of its own, `overlay.user.alice`; an empty name is none.
    pub(super) const fn below(section: &'k str, entry: &'k str, name: &'k str) -> Self {
        Self { section, entry, name }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.section, self.entry, self.name];
        for (at, part) in parts.into_iter().filter(|part| !part.is_empty()).enumerate() {
            write!(f, "{}{part}", if at == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

/// More Problems of one app than anybody reads; each costs a walk through its file.
const MAX: usize = 100;

/// The Problems so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    has_errors: bool,
    left_out: usize,
}

impl Report {
    pub(super) fn error(&mut self, at: At<'_>, key: Key<'_>, text: impl Into<String>) {
        self.add(Some(at), at.file, key, text.into(), Severity::Error);
    }

    pub(super) fn warning(&mut self, at: At<'_>, key: Key<'_>, text: impl Into<String>) {
        self.add(Some(at), at.file, key, text.into(), Severity::Warning);
    }

    /// An error about what a section lacks: at the section if there is one, else about the file as a whole.
    pub(super) fn missing(&mut self, section: Option<At<'_>>, file: &File, key: Key<'_>, text: impl Into<String>) {
        self.add(section, section.map_or(file, |at| at.file), key, text.into(), Severity::Error);
    }

    /// A Problem that is complete.
    pub(super) fn push(&mut self, problem: Problem) {
        self.has_errors |= problem.severity == Severity::Error;
        self.problems.push(problem);
    }

    fn add(&mut self, at: Option<At<'_>>, file: &File, key: Key<'_>, text: String, severity: Severity) {
        if self.problems.len() >= MAX {
            self.has_errors |= severity == Severity::Error;
            self.left_out += 1;
            return;
        }
        self.push(problem(&file.path, at.map(At::place), &key.to_string(), &text, severity));
    }

    /// Whether an error is among them.
    pub(super) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// All of them: by file, by place within.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        if let (Some(last), true) = (self.problems.last(), self.left_out > 0) {
            let text = format!("and {} more", self.left_out);
            self.problems.push(problem(&last.file, None, "", &text, Severity::Error));
        }
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
