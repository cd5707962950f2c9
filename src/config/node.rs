//! A TOML file as a tree in which each value knows its file and place.
//! It knows no key of ours; trees are merged in `merge` and read in `app` and `settings`.
//! The syntax is TOML 1.1, as the `toml` crate parses it.

use super::report::problem;
use super::text::{Body, File};
use crate::problem::{Place, Problem, Severity};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in a file, kept as an offset: lines are counted only when a Problem is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) file: &'a File,
    pub(super) offset: usize,
}

impl<'a> At<'a> {
    pub(super) fn place(self) -> Place {
        Place::at(self.file.text(), self.offset)
    }

    /// Whether it counts less than another place of the same app: templates, its own file, drop-ins by name.
    pub(super) fn is_before(self, other: At<'a>) -> bool {
        let rank = |at: At<'_>| match &*at.file.path {
            path if path.contains("/templates.d/") => 0,
            path if path.contains(".toml.d/") => 2,
            _ => 1,
        };
        let name = |file: &'a File| file.path.rsplit('/').next();
        (rank(self), name(self.file), self.offset) < (rank(other), name(other.file), other.offset)
    }

    /// The place as seen from another: `line 3`, or with the file's path if that differs.
    pub(super) fn seen_from(self, other: At<'_>) -> String {
        let Place { line, column } = self.place();
        if self.file.path == other.file.path {
            format!("line {line}")
        } else {
            format!("{}:{line}:{column}", self.file.path)
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) at: At<'a>,
    pub(super) kind: Kind<'a>,
}

/// What TOML knows; numbers stay as they were written.
#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    Text(Cow<'a, str>),
    Integer(Cow<'a, str>),
    Float(Cow<'a, str>),
    Boolean(bool),
    Date,
    Array(Vec<Node<'a>>),
    Table(Table<'a>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) at: At<'a>,
    pub(super) value: Node<'a>,
}

/// Keys in the order written.
pub(super) type Table<'a> = Vec<Entry<'a>>;

/// Parses a file; the error is its one Problem.
pub(super) fn parse(file: &File) -> Result<Table<'_>, Problem> {
    if let Body::Unreadable(reason) = &file.body {
        return Err(problem(&file.path, None, "", reason, Severity::Error));
    }
    match DeTable::parse(file.text()) {
        Ok(table) => Ok(table_of(file, table.into_inner())),
        Err(error) => {
            let place = error.span().map(|span| Place::at(file.text(), span.start));
            let text = format!("this is not TOML: {}", explain(&error, file.text()));
            Err(problem(&file.path, place, "", &text, Severity::Error))
        }
    }
}

/// The parser's words, with what they are about where they leave it out.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let about = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    match error.message() {
        unquoted if unquoted.starts_with("string values must be quoted") => {
            format!("text stands in quotes: write {about:?}")
        }
        "duplicate key" => format!("`{about}` is there twice"),
        other => other.into(),
    }
}

fn table_of<'a>(file: &'a File, table: DeTable<'a>) -> Table<'a> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let at = At { file, offset: key.span().start };
        entries.push(Entry { key: key.into_inner(), at, value: node_of(file, value) });
    }
    entries.sort_unstable_by_key(|entry| entry.at.offset);
    entries
}

fn node_of<'a>(file: &'a File, value: Spanned<DeValue<'a>>) -> Node<'a> {
    let at = At { file, offset: value.span().start };
    let kind = match value.into_inner() {
        DeValue::String(text) => Kind::Text(text),
        DeValue::Integer(number) => Kind::Integer(decimal(&number)),
        DeValue::Float(number) => Kind::Float(number.as_str().to_owned().into()),
        DeValue::Boolean(yes) => Kind::Boolean(yes),
        DeValue::Datetime(_) => Kind::Date,
        DeValue::Array(items) => Kind::Array(items.into_iter().map(|item| node_of(file, item)).collect()),
        DeValue::Table(table) => Kind::Table(table_of(file, table)),
    };
    Node { at, kind }
}

/// An integer of any base in plain decimals; one too large for that as it was written.
fn decimal(number: &toml::de::DeInteger<'_>) -> Cow<'static, str> {
    match i128::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) => value.to_string().into(),
        Err(_) => number.to_string().into(),
    }
}

impl Kind<'_> {
    /// What it is, with its article.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Date => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }

    /// The value in TOML, on one line, as `veneer why` shows it.
    pub(super) fn show(&self, out: &mut String) {
        match self {
            Self::Text(text) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "{}", Quoted(text));
            }
            Self::Integer(number) | Self::Float(number) => out.push_str(number),
            Self::Boolean(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Self::Date => out.push_str("(a date)"),
            Self::Array(items) => show_list(out, ['[', ']'], items, |out, item| item.kind.show(out)),
            Self::Table(table) => show_list(out, ['{', '}'], table, |out, entry| {
                out.push_str(&entry.key);
                out.push_str(" = ");
                entry.value.kind.show(out);
            }),
        }
    }
}

/// A basic string of TOML, on one line.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

fn show_list<T>(out: &mut String, brackets: [char; 2], items: &[T], show: impl Fn(&mut String, &T)) {
    out.push(brackets[0]);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        show(out, item);
    }
    out.push(brackets[1]);
}
