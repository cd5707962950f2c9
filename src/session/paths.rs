//! The paths of one session.
//! Nothing here looks at a disk.
//! What is below `/run/veneer/sessions` is what other units rely on (docs/sessions.md); what is below the directory of
//! sessions is the session's data, and nobody else's business.

use crate::layout::SESSIONS;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;

/// The name of a disk's copy, in both places.
pub const DISK: &str = "disk.raw";
/// The name of a root, in both places.
pub const ROOT: &str = "root";
/// The link from the place that units rely on to the session's data.
pub const DATA: &str = "data";
/// The link from the session's data back to that place: what makes the data ours, and the only thing that does.
pub const OWNED: &str = ".veneer-session";
/// What says what the session is.
pub const MARK: &str = "session.json";

/// The paths of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPaths {
    /// The app's sessions.
    pub app: String,
    /// The session's directory.
    pub dir: String,
}

impl SessionPaths {
    /// Those of this session.
    pub fn new(id: &AppId, name: &SessionName) -> Self {
        Self { app: format!("{SESSIONS}/{id}"), dir: format!("{SESSIONS}/{id}/{name}") }
    }

    /// The copy of the image: a link.
    pub fn disk(&self) -> String {
        format!("{}/{DISK}", self.dir)
    }

    /// The root: a mount, of the copy of a tree or of an overlay.
    pub fn root(&self) -> String {
        format!("{}/{ROOT}", self.dir)
    }

    /// The link to the data.
    pub fn data(&self) -> String {
        format!("{}/{DATA}", self.dir)
    }

    /// What says what the session is.
    pub fn mark(&self) -> String {
        format!("{}/{MARK}", self.dir)
    }
}

/// Where the data of an app's sessions is.
pub fn data_of_app(directory: &AbsPath, id: &AppId) -> String {
    format!("{directory}/{id}")
}

/// Where a session's data is.
pub fn data_of(directory: &AbsPath, id: &AppId, name: &SessionName) -> String {
    format!("{directory}/{id}/{name}")
}
