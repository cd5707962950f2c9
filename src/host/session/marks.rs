//! Reads what sessions there are, for `veneer session`.
//! It writes and removes nothing.
//! A session without a readable mark is being made, being removed, or a leftover: it is shown without what it is.

use crate::host::files;
use crate::layout::SESSIONS;
use crate::name::{AppId, SessionName};
use crate::session::{Mark, SessionPaths};
use anyhow::Result;

/// A session's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The app.
    pub id: AppId,
    /// The session.
    pub name: SessionName,
    /// What it is, if it is whole.
    pub mark: Option<Mark>,
}

/// Every session's place, in the order of apps and names.
pub fn read_all() -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for app in files::names_in(SESSIONS)? {
        let Ok(id) = AppId::parse(&app) else { continue };
        for name in files::names_in(&format!("{SESSIONS}/{app}"))? {
            let Ok(name) = SessionName::parse(&name) else { continue };
            let mark = read(&id, &name);
            places.push(Place { id: id.clone(), name, mark });
        }
    }
    Ok(places)
}

/// The mark of one session.
pub fn read(id: &AppId, name: &SessionName) -> Option<Mark> {
    let text = std::fs::read_to_string(SessionPaths::new(id, name).mark()).ok()?;
    Mark::parse(&text).ok()
}
