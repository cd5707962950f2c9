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

/// An option of overlayfs that makes sense here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOption(Box<str>);

/// What may be said, see the kernel's overlayfs.rst. Options that change how layers are to be read (`redirect_dir`,
/// `metacopy`) are not among them: `diff` and `commit` read layers.
const OPTIONS: [&str; 4] = ["volatile", "xino=auto", "xino=on", "xino=off"];

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
