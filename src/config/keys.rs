//! Every key there is, in one table: reader, schema and man pages are tested against it.
//! It says where a key belongs and nothing about its value.
//! The table is veneer.app(5)'s and veneer.toml(5)'s.

use super::report::did_you_mean;

/// A section and the keys it takes.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its name; empty for the top of the file.
    pub name: &'static str,
    /// Its keys; empty if it takes any name.
    pub keys: &'static [&'static str],
}

/// The sections of an app's file.
pub const APP: &[Section] = &[
    Section { name: "", keys: &["app", "image", "overlay", "inject", "service", "session", "reset"] },
    Section { name: "app", keys: &["description", "autostart", "extends"] },
    Section {
        name: "image",
        keys: &[
            "file",
            "root-hash",
            "require",
            "type",
            "size",
            "bootable",
            "verify",
            "oci",
            "build",
            "directory",
            "fallback",
            "skeleton",
        ],
    },
    Section { name: "image.build", keys: &["context", "file"] },
    Section { name: "overlay", keys: &["mode", "size", "layers", "writable"] },
    Section { name: "inject", keys: &["agent", "file", "link", "directory"] },
    Section { name: "inject.file", keys: &["source", "target", "mode", "uid", "gid"] },
    Section { name: "inject.link", keys: &["target", "to"] },
    Section { name: "inject.directory", keys: &["target", "mode", "uid", "gid"] },
    Section {
        name: "service",
        keys: &[
            "type",
            "exec",
            "user",
            "environment",
            "profile",
            "state",
            "bind",
            "credentials",
            "listen",
            "schedule",
            "after",
            "requires",
            "directives",
        ],
    },
    Section { name: "session", keys: &["kind", "reflink", "resize", "limit"] },
    Section { name: "service.bind", keys: &["source", "target", "read-only", "optional"] },
    Section { name: "service.environment", keys: &[] },
    Section { name: "service.credentials", keys: &[] },
    Section { name: "service.directives", keys: &[] },
];

/// The sections of `veneer.toml`.
pub const SETTINGS: &[Section] = &[
    Section { name: "", keys: &["store", "policy", "prune", "pull", "session", "overlay", "reset"] },
    Section { name: "store", keys: &["roots", "keep"] },
    Section { name: "session", keys: &["directory", "limit", "limit-per-app"] },
    Section { name: "policy", keys: &["require"] },
    Section { name: "overlay", keys: &["refuse", "files", "count", "size", "user", "group"] },
    Section { name: "overlay.user", keys: &[] },
    Section { name: "overlay.group", keys: &[] },
    Section { name: "overlay.limit", keys: &["count", "size"] },
    Section { name: "prune", keys: &["older-than", "max-size", "min-free"] },
    Section { name: "pull", keys: &["auth-file", "policy", "registries", "certificates"] },
];

/// What is said of an overlay over the host. The name comes first: in `overlays.d` it is the file's.
const OVER_HOST: &[&str] = &[
    "name",
    "description",
    "source",
    "target",
    "mode",
    "persistent",
    "size",
    "owner",
    "base-changed",
    "force-target",
    "options",
];

/// The sections of a file of `overlays.d`.
pub const HOST_OVERLAY: &[Section] =
    &[Section { name: "", keys: &["overlay", "reset"] }, Section { name: "overlay", keys: OVER_HOST.split_at(1).1 }];

/// The sections of a batch of overlays.
pub const BATCH: &[Section] = &[Section { name: "", keys: &["overlay"] }, Section { name: "overlay", keys: OVER_HOST }];

/// The sections of a manifest of `veneer-inject` (docs/inject.md).
pub const INJECT: &[Section] = &[
    Section { name: "", keys: &["inject"] },
    Section { name: "inject", keys: &["agent", "file", "link", "directory"] },
    Section { name: "inject.file", keys: &["source", "target", "mode", "uid", "gid"] },
    Section { name: "inject.link", keys: &["target", "to"] },
    Section { name: "inject.directory", keys: &["target", "mode", "uid", "gid"] },
];

/// The keys of a section.
pub(super) fn of(sections: &'static [Section], name: &str) -> &'static [&'static str] {
    sections.iter().find(|section| section.name == name).map_or(&[], |section| section.keys)
}

/// What to say about a key that a section does not take: the nearest one, or where the key belongs.
pub(super) fn stranger(sections: &'static [Section], section: &str, key: &str) -> String {
    let elsewhere = sections.iter().find(|other| other.name != section && other.keys.contains(&key));
    let near = did_you_mean(key, of(sections, section).iter().copied());
    match elsewhere {
        // A section typed inside another one, and arrays of tables, are no place to point at.
        Some(other) if !other.name.is_empty() => format!("`{key}` belongs in [{}]", other.name),
        Some(_) if key == "reset" => "`reset` stands at the top of the file, before the first section".into(),
        Some(_) => format!("[{key}] is a section of its own"),
        None => format!("there is no such key{}", if near.is_empty() { all(sections, section) } else { near }),
    }
}

fn all(sections: &'static [Section], section: &str) -> String {
    let keys = of(sections, section);
    if keys.is_empty() { String::new() } else { format!(" here, only {}", super::report::one_of(keys)) }
}

/// Whether `reset` may name this key: a section, a key, or a name in an open table.
pub(super) fn may_reset(sections: &'static [Section], path: &str) -> super::merge::Known {
    use super::merge::Known;
    let is_section = !path.is_empty() && path != "reset" && of(sections, "").contains(&path);
    let known = sections.iter().filter(|section| !section.name.is_empty()).any(|section| {
        let rest = path.strip_prefix(section.name).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|key| section.keys.contains(&key) || (section.keys.is_empty() && !key.is_empty()))
    });
    if is_section || known {
        return Known::Yes;
    }
    if let Some(section) = sections.iter().find(|section| !section.name.is_empty() && section.keys.contains(&path)) {
        return Known::No(format!(": did you mean \"{}.{path}\"?", section.name));
    }
    let paths: Vec<String> = sections
        .iter()
        .filter(|section| !section.name.is_empty())
        .flat_map(|section| section.keys.iter().map(|key| format!("{}.{key}", section.name)))
        .collect();
    Known::No(did_you_mean(path, paths.iter().map(String::as_str)))
}
