//! Values that a unit can carry, parsed once at the border.
//! They hold what was meant, not how it is written: escaping happens when a unit is printed (`text`).
//! What a setting cannot carry is refused here, with the reason (systemd.syntax(7), systemd.exec(5)).

use crate::path::{AbsPath, is_noncharacter};

/// One line of text for settings that are never quoted (`Description=`, `OnCalendar=`, `ListenStream=`, …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Box<str>);

/// systemd refuses lines of a megabyte (`LONG_LINE_MAX`); `%` may double.
const LINE_MAX: usize = 256 << 10;

impl Text {
    /// Checks that systemd reads back this very text; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(odd) = text.chars().find(|c| c.is_control()) {
            return Err(format!("a unit's line cannot have the control character {odd:?}"));
        }
        if text.is_empty() || text.trim() != text {
            return Err("the text is empty, or begins or ends with white space, which a unit's line would lose".into());
        }
        if text.ends_with('\\') {
            return Err("the text ends in a backslash: a unit's line would go on behind it".into());
        }
        within_line(text).map(|()| Self(text.into()))
    }

    /// The text as meant.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A program or an argument of an Exec line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg(Box<str>);

impl Arg {
    /// Checks an argument: anything but NUL. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('\0') {
            return Err("an argument cannot have the character NUL".into());
        }
        within_line(text).map(|()| Self(text.into()))
    }

    /// Checks a program: an absolute path without what systemd would expand or take for a prefix.
    pub fn program(text: &str) -> Result<Self, String> {
        let path = AbsPath::parse(text)?;
        if path.is_root() || text.ends_with('/') {
            return Err(format!("{text:?} is a directory, not a program"));
        }
        if let Some(odd) = text.chars().find(|c| r#"$"'\%*?["#.contains(*c)) {
            return Err(format!("the path of a program cannot have {odd:?}"));
        }
        Ok(Self(path.as_str().into()))
    }

    /// The argument as meant.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvVar {
    name: Box<str>,
    value: Box<str>,
}

impl EnvVar {
    /// Checks a variable by systemd's rule: a C identifier; a value without control characters but tab and newline.
    pub fn parse(name: &str, value: &str) -> Result<Self, String> {
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(letters) {
            return Err(format!("{name:?} is not the name of a variable: letters, digits and '_', not a digit first"));
        }
        if let Some(odd) = value.chars().find(|c| c.is_control() && *c != '\t' && *c != '\n') {
            return Err(format!("an environment value cannot have the control character {odd:?}"));
        }
        within_line(value).map(|()| Self { name: name.into(), value: value.into() })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as meant.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// The name of a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialName(Box<str>);

impl CredentialName {
    /// Checks a name: as a file's, without what `LoadCredential=` would take for its own. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
        if text.is_empty() || text.len() > 255 || !text.chars().all(good) || matches!(text, "." | "..") {
            return Err(format!(
                "{text:?} is not the name of a credential: 1 to 255 of letters, digits, '.', '_', '-', '@' and '+'"
            ));
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A directory as it can stand in an overlay's `lowerdir=`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layer(AbsPath);

impl Layer {
    /// Checks a path: mount(8) cuts options at `,` and takes `"` for its own; a backslash is halved by systemd up to
    /// 257 (`fstab_filter_options`) and not by 262, so no spelling of it is right for both. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = AbsPath::parse(text)?;
        match path.as_str().chars().find(|c| matches!(c, ',' | '"' | '\\')) {
            Some(odd) => Err(format!("a layer's path cannot have {odd:?}: mount options have no way to write it")),
            None => Ok(Self(path)),
        }
    }

    /// The directory.
    pub fn path(&self) -> &AbsPath {
        &self.0
    }
}

impl From<Layer> for AbsPath {
    fn from(layer: Layer) -> Self {
        layer.0
    }
}

/// A setting of `[Service]` that Veneer has no key for: a name and one line, its `%` doubled like any other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    name: Box<str>,
    value: Option<Text>,
}

impl Directive {
    /// Checks a directive; an empty value resets a list, as in any drop-in. The error is a sentence.
    pub fn parse(name: &str, value: &str) -> Result<Self, String> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("{name:?} is not the name of a directive"));
        }
        let value = if value.is_empty() { None } else { Some(Text::parse(value)?) };
        Ok(Self { name: name.into(), value })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value; empty to reset.
    pub fn value(&self) -> &str {
        self.value.as_ref().map_or("", Text::as_str)
    }
}

/// What holds for any text in a unit.
fn within_line(text: &str) -> Result<(), String> {
    if let Some(odd) = text.chars().find(|c| is_noncharacter(*c)) {
        return Err(format!("a unit cannot have {odd:?}: systemd takes no text with it"));
    }
    if text.len() > LINE_MAX {
        return Err(format!("the text has {} bytes; a unit's line takes {LINE_MAX}", text.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_would_lose_is_refused() {
        for bad in ["", " a", "a ", "a\\", "a\nb", "a\u{85}b", "a\u{fdd0}b", "\u{1ffff}"] {
            assert!(Text::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Text::parse("50% of \"it\" \\ $HOME; # ü").is_ok());
    }

    #[test]
    fn a_program_is_a_plain_absolute_path() {
        for bad in ["sh", "", "/", "-/bin/sh", "@/bin/sh", "/bin/$x", "/bin/a\"", "/bin/"] {
            assert!(Arg::program(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Arg::program("/usr//bin/hello").map(|arg| arg.as_str().to_owned()), Ok("/usr/bin/hello".into()));
    }

    #[test]
    fn variables_follow_systemds_rule() {
        assert!(EnvVar::parse("A_1", "x\ty\nz $ % \"").is_ok());
        for (name, value) in [("1A", ""), ("", ""), ("A-B", ""), ("A", "\u{1b}"), ("A", "\0")] {
            assert!(EnvVar::parse(name, value).is_err(), "{name:?} {value:?}");
        }
    }
}
