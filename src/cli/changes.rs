//! What a reload would change: the units that are there against those that would be.
//! Pure; what is there comes in, and other generators' files in the same directory are passed over.
//! Which names are ours follows from `plan`.

use super::unified;
use crate::layout::GENERATOR_DIR;
use crate::unit::{Content, UnitSet};
use std::collections::BTreeSet;

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Added,
    Changed,
    Removed,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// One file that a reload would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Below the generator's directory.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// As unified diff.
    pub(super) diff: String,
}

impl Change {
    /// The unit that goes with this file: a unit's own file, not a drop-in or a link that wants it.
    pub(super) fn removed_unit(&self) -> Option<&str> {
        Some(self.path.as_str()).filter(|path| self.kind == Kind::Removed && !path.contains('/'))
    }
}

/// Compares what is there with what would be written; in order of path.
pub(super) fn changes(there: &[(String, Content)], wanted: &UnitSet) -> Vec<Change> {
    let ours = there.iter().filter(|(path, content)| is_ours(path, content));
    let mut changes: Vec<Change> = ours.filter_map(|(path, old)| change(path, Some(old), wanted.get(path))).collect();
    let old: BTreeSet<&str> = there.iter().map(|(path, _)| path.as_str()).collect();
    let new = wanted.iter().filter(|(path, _)| !old.contains(path));
    changes.extend(new.filter_map(|(path, content)| change(path, None, Some(content))));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

fn change(path: &str, old: Option<&Content>, new: Option<&Content>) -> Option<Change> {
    if old == new {
        return None;
    }
    let kind = match (old, new) {
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
        _ => Kind::Changed,
    };
    let name = |content: Option<&Content>| match content {
        Some(_) => format!("{GENERATOR_DIR}/{path}"),
        None => "/dev/null".into(),
    };
    let diff = unified::diff(&name(old), &name(new), &text(old), &text(new));
    Some(Change { path: path.to_owned(), kind, diff })
}

/// A link shows as one line.
fn text(content: Option<&Content>) -> String {
    match content {
        Some(Content::File(text)) => text.clone(),
        Some(Content::Link(target)) => format!("(a link to {target})\n"),
        None => String::new(),
    }
}

/// What our generator would write, by its name; files of sockets and timers also by their first line.
fn is_ours(path: &str, content: &Content) -> bool {
    let marked = matches!(content, Content::File(text) if text.starts_with("# Written by veneer-generator"));
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let between = |text: &str, before: &str, after: &str| text.starts_with(before) && text.ends_with(after);
    let beside = |name: &str| between(name, "app-", ".socket") || between(name, "app-", ".timer");
    if dir.is_empty() {
        let of_chain = between(name, "run-veneer-apps-", ".mount") || between(name, "veneer-verity@", ".service");
        return of_chain || (marked && beside(name));
    }
    if dir.ends_with(".wants") {
        return matches!(content, Content::Link(_)) && (between(name, "app@", ".service") || beside(name));
    }
    let of_ours = ["app@", "veneer-overlay@"].iter().any(|name| between(dir, name, ".service.d"));
    of_ours && (name == crate::unit::DROP_IN || name == "40-veneer-profile.conf")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Content {
        Content::File(format!("# Written by veneer-generator\n{text}\n"))
    }

    #[test]
    fn only_what_is_ours_is_compared() {
        for path in ["app-a.socket", "run-veneer-apps-a-image.mount", "app@a.service.d/50-veneer.conf"] {
            assert!(is_ours(path, &file("x")), "{path}");
        }
        assert!(is_ours("multi-user.target.wants/app@a.service", &Content::Link("x".into())));
        for path in
            ["app-a.service", "-.mount", "boot.mount", "app@a.service.d/x.conf", "getty@.service.d/50-veneer.conf"]
        {
            assert!(!is_ours(path, &file("x")), "{path}");
        }
        assert!(!is_ours("app-b.socket", &Content::File("[Socket]\n".into())));
    }

    #[test]
    fn what_is_added_changed_and_removed_is_told_apart() {
        let there = [("app-a.socket", file("1")), ("app-b.socket", file("2")), ("x.mount", file("3"))];
        let there: Vec<(String, Content)> = there.map(|(path, content)| (path.to_owned(), content)).to_vec();
        let mut wanted = UnitSet::default();
        for (path, content) in [("app-b.socket", file("two")), ("app-c.socket", file("4"))] {
            wanted.add(path.into(), content).expect("no duplicate");
        }
        let changes = changes(&there, &wanted);
        let seen: Vec<(&str, Kind)> = changes.iter().map(|change| (&*change.path, change.kind)).collect();
        let wanted = [("app-a.socket", Kind::Removed), ("app-b.socket", Kind::Changed), ("app-c.socket", Kind::Added)];
        assert_eq!(seen, wanted);
        assert_eq!(changes[0].removed_unit(), Some("app-a.socket"));
        assert_eq!(changes[1].removed_unit(), None);
        assert!(
            changes[2].diff.starts_with("--- /dev/null\n+++ /run/systemd/generator/app-c.socket\n"),
            "{}",
            changes[2].diff
        );
    }
}
