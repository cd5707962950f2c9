//! Reads `[service.directives]`: settings of `[Service]` that Veneer has no key for.
//! It does not check their values; systemd does, and says so in the journal.
//! What Veneer writes itself is refused, with the key to use; the names are systemd.directives(7)'s.

use super::known_directives::KNOWN;
use super::node::Kind;
use super::read::{Field, Fields};
use super::report::Report;
use crate::app::User;
use crate::name::AppId;
use crate::problem::{distance, nearest};
use crate::unit::Directive;

/// A name this near to a known one, and not known itself, is a typing mistake.
const TYPO: usize = 2;

/// Settings that Veneer writes, and what to use instead.
const OWNED: &[(&str, &str)] = &[
    ("BindPaths", "use service.bind"),
    ("BindReadOnlyPaths", "use service.bind with read-only = true"),
    ("DynamicUser", "use service.user"),
    ("Environment", "use service.environment"),
    ("ExecCondition", EXEC),
    ("ExecReload", EXEC),
    ("ExecReloadPost", EXEC),
    ("ExecStart", "use service.exec"),
    ("ExecStartPost", EXEC),
    ("ExecStartPre", EXEC),
    ("ExecStop", EXEC),
    ("ExecStopPost", EXEC),
    ("ExtensionDirectories", "use overlay.layers"),
    ("ExtensionImagePolicy", "use overlay.layers"),
    ("ExtensionImages", "use overlay.layers"),
    ("LoadCredential", "use service.credentials"),
    ("MountAPIVFS", "every app has /proc, /sys, /dev and /run of its own"),
    ("MountFlags", "every app has mounts of its own"),
    ("MountImagePolicy", "use overlay.layers"),
    ("MountImages", "use overlay.layers"),
    ("PermissionsStartOnly", EXEC),
    ("PrivateMounts", "every app has mounts of its own"),
    ("ProtectSystem", "what may be written follows from overlay.mode and service.user"),
    ("ReadWriteDirectories", "use overlay.writable"),
    ("ReadWritePaths", "use overlay.writable"),
    ("RootDirectory", "use image.file or image.directory"),
    ("RootDirectoryStartOnly", "its own check before the start has to see the host"),
    ("RootEphemeral", "use overlay.mode = \"volatile\""),
    ("RootHash", "use image.root-hash"),
    ("RootHashSignature", "use image.require = \"signed\""),
    ("RootImage", "use image.file"),
    ("RootImageOptions", "use image.file and image.type"),
    ("RootImagePolicy", "use image.require"),
    ("RootMStack", "use image.file and overlay.layers"),
    ("RootVerity", "use image.file: its hash tree is found beside it"),
    ("Sockets", "use service.listen"),
    ("StateDirectory", "use service.state"),
    ("TemporaryFileSystem", "use overlay.mode = \"volatile\" and overlay.writable"),
    ("Type", "use service.type"),
    ("User", "use service.user"),
];
const EXEC: &str = "run it from the program itself, or add it in a drop-in of the unit";

/// Settings of other sections that are easily put here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("After", "use service.after"),
    ("Description", "use app.description"),
    ("ListenDatagram", "use service.listen with udp: before the address"),
    ("ListenStream", "use service.listen"),
    ("OnCalendar", "use service.schedule"),
    ("Requires", "use service.requires"),
    ("WantedBy", "use app.autostart"),
];
/// Beginnings of names that belong to `[Unit]` or `[Install]` (systemd.unit(5)).
const OF_UNIT: &[&str] = &[
    "Alias",
    "Assert",
    "Before",
    "BindsTo",
    "Condition",
    "Conflicts",
    "DefaultDependencies",
    "Documentation",
    "JobTimeout",
    "OnFailure",
    "OnSuccess",
    "PartOf",
    "RequiredBy",
    "RequiresMountsFor",
    "Requisite",
    "SourcePath",
    "StopWhenUnneeded",
    "Upholds",
    "Wants",
];

pub(super) fn read(section: Fields<'_, '_>, user: &User, id: &AppId, report: &mut Report) -> Vec<Directive> {
    let mut directives = Vec::new();
    for (name, field) in section.all() {
        match refused(name, user, id) {
            Some(reason) => report.error(field.key_at, field.key, reason),
            None => {
                doubt(name, field, report);
                values(name, field, &mut directives, report);
            }
        }
    }
    directives
}

fn refused(name: &str, user: &User, id: &AppId) -> Option<String> {
    if let Ok(at) = OWNED.binary_search_by(|(owned, _)| (*owned).cmp(name)) {
        return Some(format!("Veneer writes {name}= itself: {}", OWNED[at].1));
    }
    if name == "Group" && *user == User::Dynamic {
        return Some(
            "a dynamic user has a group of its own: give service.user a name, or use SupplementaryGroups".into(),
        );
    }
    if KNOWN.binary_search(&name).is_ok() {
        return None;
    }
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(other, _)| *other == name) {
        return Some(format!("{name}= is no setting of [Service]: {instead}"));
    }
    let unit = OF_UNIT.iter().any(|beginning| name.starts_with(beginning));
    unit.then(|| {
        format!("{name}= is no setting of [Service]: write it in /etc/systemd/system/app@{id}.service.d/*.conf")
    })
}

/// A name that is nearly a known one is an error, one that is like none a warning.
fn doubt(name: &str, field: Field<'_, '_>, report: &mut Report) {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_name || KNOWN.binary_search(&name).is_ok() {
        return;
    }
    match nearest(name, KNOWN.iter().copied()) {
        Some(near) if distance(&name.to_ascii_lowercase(), &near.to_ascii_lowercase()) <= TYPO => {
            report.error(field.key_at, field.key, format!("systemd has no such setting: did you mean {near:?}?"));
        }
        near => {
            let hint = near.map(|near| format!(": did you mean {near:?}?")).unwrap_or_default();
            let text = format!("systemd 257 has no such setting, and an older one would ignore it{hint}");
            report.warning(field.key_at, field.key, text);
        }
    }
}

/// One line, or one for each item of an array.
fn values(name: &str, field: Field<'_, '_>, directives: &mut Vec<Directive>, report: &mut Report) {
    let items = match field.kind {
        Kind::Array(items) => items.iter().map(|node| field.item(node)).collect(),
        _ => vec![field],
    };
    for item in items {
        let Some(value) = item.scalar(report, "a string, a number, a boolean or an array of them") else {
            continue;
        };
        match Directive::parse(name, value) {
            Ok(directive) => directives.push(directive),
            Err(reason) => item.error(report, reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_for_their_searches() {
        assert!(KNOWN.is_sorted());
        assert!(OWNED.is_sorted());
    }

    #[test]
    fn every_exec_line_and_root_setting_of_systemd_is_owned() {
        let free = ["ExecPaths", "ExecSearchPath"];
        for name in KNOWN.iter().filter(|name| name.starts_with("Exec") || name.starts_with("Root")) {
            assert!(free.contains(name) || OWNED.iter().any(|(owned, _)| owned == name), "{name}");
        }
    }
}
