//! What sessions of an app are (`[session]`).
//! It holds nothing of any one session: those are `crate::session`.
//! The keys are those of veneer.app(5).

use crate::path::AbsPath;
use crate::size::Size;

/// What sessions of an app are (`[session]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// What a session is a copy of.
    pub kind: SessionKind,
    /// Whether its data is shared with the original until it is written.
    pub reflink: Reflink,
    /// The size of an image's copy, if it is to be larger than the image.
    pub resize: Option<Size>,
    /// Where the host keeps what sessions write.
    pub directory: AbsPath,
    /// How many there may be.
    pub limits: Limits,
}

/// What a session is (`session.kind`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionKind {
    /// The cheapest that the app's image and the host's file system can.
    #[default]
    Auto,
    /// A copy of the image file.
    Image,
    /// A copy of all files.
    Tree,
    /// An overlay over the app's one mounted image.
    Overlay,
}

impl SessionKind {
    /// Every name, in the order they are offered.
    pub const NAMES: [&str; 4] = ["auto", "image", "tree", "overlay"];
    const ALL: [Self; 4] = [Self::Auto, Self::Image, Self::Tree, Self::Overlay];

    /// The name in `session.kind`.
    pub fn name(self) -> &'static str {
        Self::NAMES[Self::ALL.iter().position(|kind| *kind == self).unwrap_or_default()]
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Whether a copy shares its data with the original (`session.reflink`), as in cp(1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reflink {
    /// Where the file system can.
    #[default]
    Auto,
    /// Yes; where the file system cannot, there is no session.
    Always,
    /// No: all data is written again.
    Never,
}

impl Reflink {
    /// Every name, in the order they are offered.
    pub const NAMES: [&str; 3] = ["auto", "always", "never"];
    const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The name in `session.reflink`.
    pub fn name(self) -> &'static str {
        Self::NAMES[Self::ALL.iter().position(|reflink| *reflink == self).unwrap_or_default()]
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reflink| reflink.name() == name)
    }
}

/// How many sessions there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one app.
    pub per_app: u32,
    /// Of all apps together.
    pub in_all: u32,
}
