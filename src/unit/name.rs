//! Names of units, from paths and ids.
//! It makes no names for what systemd would not accept: the inputs are checked types.
//! The escaping is `systemd-escape`'s (systemd.unit(5), "String Escaping for Inclusion in Unit Names").

use crate::name::AppId;
use std::fmt::{self, Write as _};

/// The name of a unit, escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitName(Box<str>);

impl UnitName {
    /// The `.mount` of an absolute, clean path: `systemd-escape --path --suffix=mount`.
    pub fn mount_of(path: &str) -> Self {
        let mut name = escape(path.trim_matches('/'));
        name.push_str(".mount");
        Self(name.into())
    }

    /// `TEMPLATE@ID.service`; an id needs no escaping, and `%i` gives it back as it is.
    pub fn service_of(template: &'static str, id: &AppId) -> Self {
        Self(format!("{template}@{id}.service").into())
    }

    /// `PREFIX-ID@.service`, the template of an app's sessions.
    pub fn template_of(prefix: &'static str, id: &AppId) -> Self {
        Self(format!("{prefix}-{id}@.service").into())
    }

    /// `PREFIX-ID@%i.service`: in a template, the unit of another template with the same instance.
    pub fn instance_of(prefix: &'static str, id: &AppId) -> Self {
        Self(format!("{prefix}-{id}@%i.service").into())
    }

    /// `app-ID.KIND`, for what stands beside the service: its socket and its timer.
    pub fn beside(id: &AppId, kind: &'static str) -> Self {
        Self(format!("app-{id}.{kind}").into())
    }

    /// The name as it stands in a unit and as a file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Escapes what stood between the first and the last `/` of a clean path; nothing at all is the root.
fn escape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len() + 16);
    if inner.is_empty() {
        out.push('-');
    }
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if at == 0 => out.push_str("\\x2e"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b':' | b'_' | b'.' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_named_as_systemd_escape_does() {
        let name = |path| UnitName::mount_of(path).to_string();
        assert_eq!(name("/"), "-.mount");
        assert_eq!(name("/run/veneer/apps/a-b/image"), "run-veneer-apps-a\\x2db-image.mount");
        assert_eq!(name("/.x/.y é"), "\\x2ex-.y\\x20\\xc3\\xa9.mount");
    }

    #[test]
    fn the_longest_id_makes_a_name_systemd_takes() {
        for dashes in 0..64 {
            if let Ok(id) = AppId::parse(&format!("{}{}", "a".repeat(64 - dashes), "-".repeat(dashes))) {
                assert!(UnitName::mount_of(&format!("/run/veneer/apps/{id}/image")).as_str().len() <= 255);
            }
        }
    }
}
