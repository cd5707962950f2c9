//! An app, checked: whatever can be built here can be turned into units.
//! It holds nothing of how it was typed (that is `config`) and nothing of units (that is `plan`).
//! The tables and keys are those of veneer.app(5).

mod image;
mod overlay;
mod service;
mod session;
mod settings;

pub use image::{FileSystem, Image, ImageFile, ImagePlace, Making, Pull, Trust, Verify};
pub use overlay::{Overlay, OverlayMode};
pub use service::{Access, Bind, Credential, Listen, Missing, Profile, Service, ServiceType, State, User};
pub use session::{Limits, Reflink, SessionKind, Sessions};
pub use settings::Settings;

use crate::name::AppId;
use crate::path::AbsPath;
use crate::unit::Text;

/// One app, ready to be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Its own file, the one `SourcePath=` names.
    pub source: AbsPath,
    /// What a person calls it.
    pub description: Option<Text>,
    /// Whether the boot starts it.
    pub autostart: Autostart,
    /// What its root file system is made of.
    pub image: Image,
    /// Whether the skeleton of mount points lies under the image.
    pub skeleton: Skeleton,
    /// What lies over the image.
    pub overlay: Overlay,
    /// What runs in it.
    pub service: Service,
    /// Its sessions, if it asks for any.
    pub sessions: Option<Sessions>,
}

/// Whether the boot starts an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autostart {
    /// Started with multi-user.target (or its socket, or its timer, if it has them).
    Yes,
    /// Started by hand, or by `systemctl enable`.
    No,
}

/// Whether the shipped layer of mount points lies under the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skeleton {
    /// The root is an overlay with the skeleton at the bottom.
    Under,
    /// The image has every mount point itself.
    Without,
}
