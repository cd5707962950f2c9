//! Absolute, clean paths as they may stand in a unit.
//! Nothing here looks at a disk: whether a path exists is the helpers' business, at start.
//! The rules are systemd's for path settings (systemd.exec(5)) and what DESIGN-level tests found that no setting can carry.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An absolute path, normalized (no `//`, `.`, `..`, trailing `/`), UTF-8, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbsPath(Box<str>);

/// Linux's `PATH_MAX`, with its closing NUL.
const PATH_MAX: usize = 4096;
/// Linux's `NAME_MAX`.
const NAME_MAX: usize = 255;

impl AbsPath {
    /// Checks and cleans a path; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_clean(text) {
            return Ok(Self(text.into()));
        }
        if !text.starts_with('/') {
            return Err(format!("{text:?} is not an absolute path"));
        }
        if let Some(odd) = text.chars().find(|c| c.is_control()) {
            return Err(format!("a path cannot have the control character {odd:?}"));
        }
        if let Some(odd) = text.chars().find(|c| is_noncharacter(*c)) {
            return Err(format!("a path cannot have {odd:?}: systemd takes no text with it"));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.contains(&"..") {
            return Err(format!("{text:?} has '..' in it: write the path it means"));
        }
        if text.len() >= PATH_MAX || parts.iter().any(|part| part.len() > NAME_MAX) {
            return Err("the path is too long".into());
        }
        match parts.last() {
            Some(last) if last.ends_with('\\') => {
                Err("a path cannot end in a backslash: a unit's line would go on behind it".into())
            }
            Some(last) if last.ends_with(' ') => {
                Err("a path cannot end in a space: a unit's line would lose it".into())
            }
            _ => Ok(Self(format!("/{}", parts.join("/")).into())),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// Whether `self` is `other` or lies below it.
    pub fn is_at_or_below(&self, other: &AbsPath) -> bool {
        other.is_root() || self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// This path with a clean relative one behind it.
    pub fn join(&self, below: &str) -> Self {
        let base = if self.is_root() { "" } else { &*self.0 };
        Self(format!("{base}/{below}").into())
    }
}

/// Whether Unicode has set this aside as no character; systemd takes none of them for text (`unichar_is_valid`).
pub fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether a path is plain ASCII and already as [`AbsPath::parse`] would make it: nearly all are, and need no second look.
fn is_clean(text: &str) -> bool {
    let plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.len() <= NAME_MAX
            && part.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\')
    };
    let ends_well = text.len() < PATH_MAX && !text.ends_with(' ');
    ends_well && text.strip_prefix('/').is_some_and(|below| below.split('/').all(plain))
}

impl TryFrom<String> for AbsPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<AbsPath> for String {
    fn from(path: AbsPath) -> Self {
        path.0.into()
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::AbsPath;

    #[test]
    fn paths_come_out_clean_or_not_at_all() {
        let clean = |text| AbsPath::parse(text).map(|path| path.to_string());
        assert_eq!(clean("/a//b/./c/"), Ok("/a/b/c".into()));
        assert_eq!(clean("/"), Ok("/".into()));
        for bad in [
            "",
            "a",
            "./a",
            "/a/../b",
            "/a\nb",
            "/a\u{7f}",
            "/a\\",
            "/a\\/./",
            "/a /",
            "/a\u{ffff}",
            &format!("/{}", "x".repeat(256)),
            &"/x".repeat(2048),
        ] {
            assert!(clean(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_passes_for_clean_is_what_cleaning_gives() {
        for text in ["/a", "/a/b c", "/a%b:c,d\"", "/..a/.b/c.", &format!("/{}", "x".repeat(255))] {
            assert!(super::is_clean(text), "{text}");
            // A trailing slash takes the long way to the same path.
            assert_eq!(AbsPath::parse(&format!("{text}/")), AbsPath::parse(text));
        }
        for text in ["", "/", "a", "//a", "/a/", "/a//b", "/./a", "/a/..", "/a ", "/a\\b", "/\u{e4}", "/a\n", "/\u{7f}"]
        {
            assert!(!super::is_clean(text), "{text:?}");
        }
    }

    #[test]
    fn below_is_by_component() {
        let path = |text| AbsPath::parse(text).expect("good path");
        assert!(path("/usr/lib").is_at_or_below(&path("/usr")));
        assert!(path("/usr").is_at_or_below(&path("/")));
        assert!(!path("/usrlib").is_at_or_below(&path("/usr")));
    }
}
