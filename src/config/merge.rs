//! Puts the files of one app over one another: templates, its own file, its drop-ins.
//! It checks no value; what it cannot follow (a bad `reset`, a template that is not there) it reports.
//! The rule is veneer.app(5)'s: tables merge, everything else replaces, `reset` removes what came before.

use super::node::{Entry, Kind, Node, Table};
use super::report::{Key, Report};

/// Puts `over` on `base`, key by key.
pub(super) fn merge<'a>(base: &mut Table<'a>, over: Table<'a>) {
    for entry in over {
        match base.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => replace(old, entry),
            None => base.push(entry),
        }
    }
}

fn replace<'a>(old: &mut Entry<'a>, new: Entry<'a>) {
    match (&mut old.value.kind, new.value.kind) {
        (Kind::Table(base), Kind::Table(over)) => merge(base, over),
        (_, kind) => *old = Entry { key: new.key, at: new.at, value: Node { at: new.value.at, kind } },
    }
}

/// Takes `reset` out of a layer and removes from `base` what it names.
pub(super) fn reset<'a>(
    base: &mut Table<'a>,
    layer: &mut Table<'a>,
    report: &mut Report,
    known: impl Fn(&str) -> Known,
) {
    let Some(at) = layer.iter().position(|entry| entry.key == "reset") else {
        return;
    };
    let entry = layer.remove(at);
    let key = Key::top("reset");
    let Kind::Array(names) = &entry.value.kind else {
        let what = entry.value.kind.what();
        return report.error(
            entry.value.at,
            key,
            format!("wants an array of keys, not {what}: reset = [\"service.bind\"]"),
        );
    };
    for name in names {
        let Kind::Text(path) = &name.kind else {
            report.error(name.at, key, format!("wants keys as strings, not {}", name.kind.what()));
            continue;
        };
        match known(path) {
            Known::Yes => remove(base, path),
            Known::No(hint) => report.error(name.at, key, format!("{path:?} is not a key{hint}")),
        }
    }
}

/// Whether a key may be reset.
pub(super) enum Known {
    Yes,
    /// No, and what to say behind it.
    No(String),
}

fn remove(table: &mut Table<'_>, path: &str) {
    // The rest of a path into an open table (`service.environment.A.B`) is one key.
    if let Some(at) = table.iter().position(|entry| entry.key == path) {
        table.remove(at);
        return;
    }
    let Some((first, rest)) = path.split_once('.') else {
        return;
    };
    let inner = table.iter_mut().find(|entry| entry.key == first).map(|entry| &mut entry.value.kind);
    if let Some(Kind::Table(inner)) = inner {
        remove(inner, rest);
    }
}
