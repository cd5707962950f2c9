//! The names an app goes by: its id, and the user that runs it.
//! Nothing here escapes for units (that is `unit`) or looks at the machine.
//! The id's rule is ours (veneer.app(5)); the user's is systemd's strict one (systemd.exec(5), "User=").

use std::fmt;

/// The id of an app: the name of its file in `apps.d`, without `.toml`.
///
/// 1 to 64 of `A-Za-z0-9._-`, beginning with a letter or digit, without `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(Box<str>);

/// Longest id; with our prefix and suffix it also fits a device-mapper name (127 bytes).
pub const ID_MAX: usize = 64;
/// What `run-veneer-apps-` and `-image.mount` leave of a unit name's 255 bytes.
const ESCAPED_MAX: usize = 255 - "run-veneer-apps--image.mount".len();

/// Endings that make `systemctl start app@ID` mean a unit of another name (systemd.unit(5)).
const UNIT_SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];

impl AppId {
    /// Checks an id; the error is a sentence that says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_letters("an app's id", text)?;
        // In the name of a mount each '-' becomes four bytes (systemd.unit(5), "String Escaping").
        if text.len() + 3 * text.matches('-').count() > ESCAPED_MAX {
            return Err("an app's id with so many '-' makes unit names over 255 bytes".into());
        }
        if let Some(suffix) = UNIT_SUFFIXES.iter().find(|suffix| text.ends_with(*suffix)) {
            return Err(format!(
                "an app's id does not end in {suffix:?}: systemctl would take app@{text} for another unit"
            ));
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What ids and names of sessions have in common; the error is a sentence.
fn check_letters(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > ID_MAX {
        return Err(format!("{what} has 1 to {ID_MAX} characters, this one has {}", text.len()));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(format!("{what} begins with a letter or a digit"));
    }
    if let Some(odd) = text.chars().find(|c| !matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-')) {
        return Err(format!("{what} has only letters, digits, '.', '_' and '-', not {odd:?}"));
    }
    if text.contains("..") {
        return Err(format!("{what} has no '..'"));
    }
    Ok(())
}

/// The name of a session of an app: 1 to 64 of `A-Za-z0-9._-`, beginning with a letter or digit, without `..`.
///
/// It is the instance of the session's units, where none of its characters is escaped or means anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(Box<str>);

impl SessionName {
    /// Checks a name; the error is a sentence that says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_letters("a session's name", text)?;
        match UNIT_SUFFIXES.iter().find(|suffix| text.ends_with(*suffix)) {
            Some(suffix) => {
                Err(format!("a session's name does not end in {suffix:?}: systemctl takes that for a unit's"))
            }
            None => Ok(Self(text.into())),
        }
    }

    /// A name that nobody has chosen, from a number that nobody else has drawn.
    pub fn generated(number: u64) -> Self {
        Self(format!("s{number:016x}").into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user name systemd accepts in `User=` without complaint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserName(Box<str>);

/// Longest name that fits utmp's field, systemd's own limit.
const USER_MAX: usize = 31;

impl UserName {
    /// Checks a user name by systemd's strict rule: `[a-z_][a-z0-9_-]*`, at most 31 characters; capitals are allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let first_is_good = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let rest_is_good = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if first_is_good && rest_is_good && text.len() <= USER_MAX {
            return Ok(Self(text.into()));
        }
        Err(format!(
            "{text:?} is not a user name: a letter or '_', then letters, digits, '_' and '-', at most {USER_MAX}"
        ))
    }

    /// The stable name of an app's own dynamic user: two apps have two names.
    ///
    /// `app-ID` where that is a valid user name, else `app-` + the id's beginning + a hash of the whole id.
    pub fn for_app(id: &AppId) -> Self {
        let plain = id.as_str().chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'));
        // A plain id that could be mistaken for a hashed one is hashed as well.
        if plain && id.as_str().len() + 4 <= USER_MAX && !looks_hashed(id.as_str()) {
            return Self(format!("app-{id}").into());
        }
        let head: String = id.as_str().to_ascii_lowercase().replace('.', "-").chars().take(10).collect();
        Self(format!("app-{head}-{:016x}", crate::digest::fnv64(id.as_str().as_bytes())).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn looks_hashed(id: &str) -> bool {
    id.rsplit_once('-').is_some_and(|(_, tail)| tail.len() == 16 && tail.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_rule() {
        for good in ["a", "hello", "A.b_c-9", "0", &"x".repeat(64)] {
            assert!(AppId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            ".a",
            "a/b",
            "a..b",
            "a b",
            "ä",
            "a@b",
            "a.mount",
            &format!("a{}", "-".repeat(63)),
            &"x".repeat(65),
        ] {
            assert!(AppId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn two_apps_have_two_users_and_every_user_is_valid() {
        let ids = ["a", "A", "a.b", "a-b", "a_b", &"x".repeat(64), &"x".repeat(63), "a-b-0123456789abcdef"];
        let mut users: Vec<_> = ids
            .iter()
            .map(|id| UserName::for_app(&AppId::parse(id).expect("good id")))
            .inspect(|user| assert!(UserName::parse(user.as_str()).is_ok(), "{user}"))
            .collect();
        users.sort();
        users.dedup();
        assert_eq!(users.len(), ids.len());
    }
}
