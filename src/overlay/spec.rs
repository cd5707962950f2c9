//! What is asked for: one overlay, as typed on a command line, in a batch, or in `overlays.d`.
//! It has been checked as far as text can be; what is on the disk is looked at later.
//! The words are those of veneer-overlay(8) and veneer.overlay(5).

use super::OverlayName;
use super::record::{Lifetime, Mode, OnChange};
use crate::path::AbsPath;
use crate::size::Size;
use crate::unit::Text;

/// One overlay that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name.
    pub name: OverlayName,
    /// A directory, a file, or an image with its verity files.
    pub source: AbsPath,
    /// What it is to lie over; links are resolved later.
    pub target: AbsPath,
    /// Whether it can be written.
    pub mode: Mode,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// The most bytes that may be written into it.
    pub size: u64,
    /// Whose it is.
    pub owner: u32,
    /// What a person calls it.
    pub description: Option<Text>,
    /// The critical target, named again.
    pub force_target: Option<AbsPath>,
    /// What is done when the base has changed.
    pub base_changed: OnChange,
    /// Further options of overlayfs.
    pub options: Vec<MountOption>,
    /// The file that declares it.
    pub declared: Option<String>,
}

/// How much may be written if nothing is said.
pub const SIZE: u64 = 64 << 20;
/// A file system smaller than this has no room for its own tables.
pub const SIZE_MIN: u64 = 1 << 20;

/// Reads a size; the error is a sentence.
pub fn size(text: &str) -> Result<u64, String> {
    let size = Size::parse(text)?.bytes();
    if size < SIZE_MIN {
        return Err(format!("{text:?} is too small: an overlay has at least 1M"));
    }
    Ok(size)
}

/// An option of overlayfs, or of its mount, that makes sense here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOption(Box<str>);

/// What may be said, see the kernel's overlayfs.rst. Options that change how layers are to be read (`redirect_dir`,
/// `metacopy`) are not among them: `diff` and `commit` read layers. Those of the mount are the guards.
const OPTIONS: [&str; 7] = ["volatile", "xino=auto", "xino=on", "xino=off", "nosuid", "noexec", "nosymfollow"];

impl MountOption {
    /// Checks an option; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if OPTIONS.contains(&text) {
            return Ok(Self(text.into()));
        }
        Err(format!("{text:?} is not an option that an overlay takes: {} are", OPTIONS.join(", ")))
    }

    /// The option.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Spec {
    /// A spec with what holds if nothing else is said.
    pub fn new(name: OverlayName, source: AbsPath, target: AbsPath) -> Self {
        Self {
            name,
            source,
            target,
            mode: Mode::ReadOnly,
            lifetime: Lifetime::Transient,
            size: SIZE,
            owner: 0,
            description: None,
            force_target: None,
            base_changed: OnChange::Warn,
            options: Vec::new(),
            declared: None,
        }
    }

    /// The words that say all this on a helper's command line, see [`Spec::from_words`].
    pub fn to_words(&self) -> Vec<String> {
        let mut words = vec![self.name.to_string()];
        let mut add = |key: &str, value: &str| words.push(format!("--{key}={value}"));
        add("source", self.source.as_str());
        add("target", self.target.as_str());
        add("mode", self.mode.name());
        add("lifetime", self.lifetime.name());
        add("size", &self.size.to_string());
        add("owner", &self.owner.to_string());
        add("base-changed", if self.base_changed == OnChange::Hold { "hold" } else { "warn" });
        if let Some(description) = &self.description {
            add("description", description.as_str());
        }
        if let Some(target) = &self.force_target {
            add("force-target", target.as_str());
        }
        for option in &self.options {
            add("option", option.as_str());
        }
        if let Some(file) = &self.declared {
            add("declared", file);
        }
        words
    }

    /// Reads what [`Spec::to_words`] wrote; the error is a sentence.
    pub fn from_words(words: &[String]) -> Result<Self, String> {
        let (name, rest) = words.split_first().ok_or("the name of an overlay is missing")?;
        let pairs: Vec<(&str, &str)> =
            rest.iter().filter_map(|word| word.strip_prefix("--")?.split_once('=')).collect();
        if pairs.len() != rest.len() {
            return Err("each word behind the name is --KEY=VALUE".into());
        }
        let needed = |key: &str| {
            let found = pairs.iter().find(|(other, _)| *other == key);
            found.map(|(_, value)| AbsPath::parse(value)).ok_or_else(|| format!("--{key} is missing"))?
        };
        let mut spec = Self::new(OverlayName::parse(name)?, needed("source")?, needed("target")?);
        for (key, value) in pairs {
            spec.take(key, value)?;
        }
        Ok(spec)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = |value: &str| value.parse().map_err(|_| format!("{value:?} is not a number"));
        match (key, value) {
            ("source" | "target", _) => {}
            ("mode", "read-only") => self.mode = Mode::ReadOnly,
            ("mode", "writable") => self.mode = Mode::Writable,
            ("lifetime", "transient") => self.lifetime = Lifetime::Transient,
            ("lifetime", "persistent") => self.lifetime = Lifetime::Persistent,
            ("size", value) => self.size = number(value)?,
            ("owner", value) => self.owner = value.parse().map_err(|_| format!("{value:?} is not a user's number"))?,
            ("base-changed", "warn") => self.base_changed = OnChange::Warn,
            ("base-changed", "hold") => self.base_changed = OnChange::Hold,
            ("description", value) => self.description = Some(Text::parse(value)?),
            ("force-target", value) => self.force_target = Some(AbsPath::parse(value)?),
            ("option", value) => self.options.push(MountOption::parse(value)?),
            ("declared", value) => self.declared = Some(value.to_owned()),
            _ => return Err(format!("--{key}={value} says nothing")),
        }
        Ok(())
    }

    /// What the words do not allow together; the error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        let volatile = self.options.iter().any(|option| option.as_str() == "volatile");
        match (self.mode, self.lifetime) {
            (Mode::ReadOnly, _) if volatile => Err("the option volatile is for writable overlays".into()),
            (Mode::Writable, Lifetime::Persistent) if volatile => {
                Err("the option volatile is for transient overlays: what it writes may be lost".into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helpers_words_say_all_that_was_asked_for() {
        let path = |text| AbsPath::parse(text).expect("good path");
        let mut spec = Spec::new(OverlayName::parse("a").expect("name"), path("/srv/a b"), path("/opt/a"));
        assert_eq!(Spec::from_words(&spec.to_words()), Ok(spec.clone()));
        spec.mode = Mode::Writable;
        spec.lifetime = Lifetime::Persistent;
        spec.size = 5 << 20;
        spec.owner = 1000;
        spec.description = Text::parse("it = that").ok();
        spec.force_target = Some(path("/opt/a"));
        spec.base_changed = OnChange::Hold;
        spec.options = vec![MountOption::parse("xino=on").expect("option")];
        spec.declared = Some("/etc/veneer/overlays.d/a.toml".into());
        assert_eq!(Spec::from_words(&spec.to_words()), Ok(spec));
        assert!(Spec::from_words(&["a".into(), "--source=/x".into()]).is_err());
        assert!(
            Spec::from_words(&["a".into(), "--source=/x".into(), "--target=/y".into(), "--mode=odd".into()]).is_err()
        );
    }
}
