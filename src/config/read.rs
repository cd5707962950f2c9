//! Reads typed values out of a tree; what is not as it should be goes into the report, and reading goes on.
//! It knows no key by name: that is `app`'s and its parts'.
//! The sentences say what the value is, what is wanted, and how that is written.

use super::keys::{self, Section};
use super::node::{At, Entry, Kind, Node, Table};
use super::report::{Key, Report, did_you_mean, one_of};

/// More items than any list of ours needs, and few enough to compare each with each.
const ITEMS_MAX: usize = 4096;

/// A table that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'n, 'a> {
    section: &'static str,
    /// What it is called, if it stands in a table that takes any name.
    entry: &'n str,
    keys: &'static [&'static str],
    entries: &'n [Entry<'a>],
    /// Where the section begins, if it is written at all.
    pub(super) at: Option<At<'a>>,
}

/// A value that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'n, 'a> {
    pub(super) key: Key<'n>,
    pub(super) key_at: At<'a>,
    pub(super) at: At<'a>,
    pub(super) kind: &'n Kind<'a>,
}

impl<'n, 'a> Fields<'n, 'a> {
    /// The top of a file.
    pub(super) fn top(sections: &'static [Section], table: &'n Table<'a>, report: &mut Report) -> Self {
        let fields = Self { section: "", entry: "", keys: keys::of(sections, ""), entries: table, at: None };
        fields.report_strangers(sections, "", report);
        fields
    }

    /// A section of the file, reporting each key it does not take.
    pub(super) fn section(self, sections: &'static [Section], name: &'static str, report: &mut Report) -> Self {
        let short = name.rsplit('.').next().unwrap_or(name);
        match self.get(short) {
            None => Self { section: name, entry: "", keys: keys::of(sections, name), entries: &[], at: None },
            Some(field) => Self::from_field(sections, name, field, report),
        }
    }

    /// A table that stands in an array, or under a key.
    pub(super) fn from_field(
        sections: &'static [Section],
        name: &'static str,
        field: Field<'n, 'a>,
        report: &mut Report,
    ) -> Self {
        Self::from_entry(sections, name, (name, ""), field, report)
    }

    /// A table with the keys of `name` that somebody gave a name of his own: `place` is the section, and that name.
    pub(super) fn from_entry(
        sections: &'static [Section],
        name: &'static str,
        place: (&'static str, &'n str),
        field: Field<'n, 'a>,
        report: &mut Report,
    ) -> Self {
        let ((section, entry), at) = (place, Some(field.at));
        let Kind::Table(entries) = field.kind else {
            field.wrong(report, "a table");
            return Self { section, entry, keys: &[], entries: &[], at };
        };
        let fields = Self { section, entry, keys: keys::of(sections, name), entries, at };
        fields.report_strangers(sections, name, report);
        fields
    }

    fn report_strangers(self, sections: &'static [Section], name: &str, report: &mut Report) {
        for entry in self.entries {
            if !self.keys.is_empty() && !self.keys.contains(&&*entry.key) {
                let text = keys::stranger(sections, name, &entry.key);
                report.error(entry.at, Key::below(self.section, self.entry, &entry.key), text);
            }
        }
    }

    /// The value under a key.
    pub(super) fn get(self, name: &'static str) -> Option<Field<'n, 'a>> {
        debug_assert!(self.keys.is_empty() || self.keys.contains(&name), "{name} is not in the table of keys");
        self.entries.iter().find(|entry| entry.key == name).map(|entry| self.field(entry))
    }

    /// Every value, for tables that take any name.
    pub(super) fn all(self) -> impl Iterator<Item = (&'n str, Field<'n, 'a>)> {
        self.entries.iter().map(move |entry| (&*entry.key, self.field(entry)))
    }

    fn field(self, entry: &'n Entry<'a>) -> Field<'n, 'a> {
        Field {
            key: Key::below(self.section, self.entry, &entry.key),
            key_at: entry.at,
            at: entry.value.at,
            kind: &entry.value.kind,
        }
    }

    /// Whether it has a key that it does not take.
    pub(super) fn has_strangers(self) -> bool {
        self.entries.iter().any(|entry| !self.keys.contains(&&*entry.key))
    }

    /// Whether it is written, and as a table.
    pub(super) fn is_table(self) -> bool {
        !self.keys.is_empty() && self.at.is_some()
    }

    /// Whether something else than a table stands in its place, which has been said: nothing more is to be missed.
    pub(super) fn is_broken(self) -> bool {
        self.at.is_some() && !self.is_table()
    }

    /// A key of this section, for Problems about its absence.
    pub(super) fn key(self, name: &'static str) -> Key<'n> {
        Key::below(self.section, self.entry, name)
    }
}

impl<'n, 'a> Field<'n, 'a> {
    /// Reports that another type is wanted.
    pub(super) fn wrong(self, report: &mut Report, wanted: &str) {
        self.error(report, format!("wants {wanted}, not {}", self.kind.what()));
    }

    /// Reports an error at this value.
    pub(super) fn error(self, report: &mut Report, text: impl Into<String>) {
        report.error(self.at, self.key, text);
    }

    /// Any single value as it is written for systemd or a program; `wanted` names what may stand here instead.
    pub(super) fn scalar(self, report: &mut Report, wanted: &str) -> Option<&'n str> {
        match self.kind {
            Kind::Text(value) | Kind::Integer(value) | Kind::Float(value) => Some(value),
            Kind::Boolean(true) => Some("true"),
            Kind::Boolean(false) => Some("false"),
            _ => {
                self.wrong(report, wanted);
                None
            }
        }
    }

    /// A string.
    pub(super) fn text(self, report: &mut Report) -> Option<&'n str> {
        match self.kind {
            Kind::Text(text) => Some(text),
            _ => {
                self.wrong(report, "a string");
                None
            }
        }
    }

    /// A boolean.
    pub(super) fn boolean(self, report: &mut Report) -> Option<bool> {
        match self.kind {
            Kind::Boolean(yes) => return Some(*yes),
            Kind::Text(text) => match &**text {
                "true" | "yes" | "on" | "1" => {
                    self.error(report, "wants a boolean, not a string: write true, without quotes")
                }
                "false" | "no" | "off" | "0" => {
                    self.error(report, "wants a boolean, not a string: write false, without quotes")
                }
                _ => self.error(report, "wants true or false, not a string"),
            },
            kind => self.error(report, format!("wants true or false, not {}", kind.what())),
        }
        None
    }

    /// A string that something can be made of.
    pub(super) fn parse<T>(self, report: &mut Report, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.text(report)?) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.error(report, reason);
                None
            }
        }
    }

    /// One of some words, as its index.
    pub(super) fn choice(self, report: &mut Report, words: &[&str]) -> Option<usize> {
        let typed = self.text(report)?;
        let found = words.iter().position(|word| *word == typed);
        if found.is_none() {
            let near = did_you_mean(typed, words.iter().copied());
            self.error(report, format!("{typed:?} is not one of {}{near}", one_of(words)));
        }
        found
    }

    /// The items of an array.
    pub(super) fn items(self, report: &mut Report, wanted: &str) -> &'n [Node<'a>] {
        match self.kind {
            Kind::Array(items) if items.len() > ITEMS_MAX => {
                self.error(report, format!("has {} items, more than {ITEMS_MAX} make no sense", items.len()));
                &[]
            }
            Kind::Array(items) => items,
            _ => {
                self.wrong(report, wanted);
                &[]
            }
        }
    }

    /// An item of this array as a value of its own.
    pub(super) fn item(self, node: &'n Node<'a>) -> Self {
        Self { key: self.key, key_at: node.at, at: node.at, kind: &node.kind }
    }

    /// An array of strings that something can be made of, with their places; a lone string is told to be put in brackets.
    pub(super) fn list<T>(self, report: &mut Report, parse: impl Fn(&str) -> Result<T, String>) -> Vec<(At<'a>, T)> {
        if let Kind::Text(text) = self.kind {
            self.error(report, format!("wants an array of strings, not a string: write [{text:?}]"));
            return Vec::new();
        }
        let items = self.items(report, "an array of strings");
        let mut list = Vec::with_capacity(items.len());
        for node in items {
            list.extend(self.item(node).parse(report, &parse).map(|value| (node.at, value)));
        }
        list
    }
}
