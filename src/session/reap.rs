//! Which sessions nobody needs any more: a decision, shown before anything is deleted.
//! It looks at nothing; `host::session::reap` gathers what is there and who uses it, and deletes.
//! The rules are those of prune: what is not ours is left and said, what is in use is kept, and if anything could not
//! be read, nothing goes at all.

use crate::name::{AppId, SessionName};
use std::fmt;

/// What lies where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// A session, by its names.
    Session {
        /// The app.
        id: AppId,
        /// The session.
        name: SessionName,
    },
    /// Something else.
    Strange(String),
}

/// Why a session is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Its unit is up, or on its way up or down.
    Unit(String),
    /// A loop device of somebody's reads it.
    Loop(String),
    /// A process has something of it open.
    Process(u32),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(state) => write!(f, "its unit is {state}"),
            Self::Loop(device) => write!(f, "{device} reads it"),
            Self::Process(pid) => write!(f, "process {pid} has it open"),
        }
    }
}

/// What becomes of something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Remove(AppId, SessionName),
    /// It stays.
    Keep(AppId, SessionName, Use),
    /// It is not ours.
    Leave(String),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(id, name) => write!(f, "remove {id} {name}: nobody uses it"),
            Self::Keep(id, name, why) => write!(f, "keep {id} {name}: {why}"),
            Self::Leave(path) => write!(f, "leave {path}: it is no session"),
        }
    }
}

/// Decides about everything that was found.
pub fn decide(found: Vec<Found>, used: impl Fn(&AppId, &SessionName) -> Option<Use>) -> Vec<Fate> {
    let fate = |found| match found {
        Found::Strange(path) => Fate::Leave(path),
        Found::Session { id, name } => match used(&id, &name) {
            Some(why) => Fate::Keep(id, name, why),
            None => Fate::Remove(id, name),
        },
    };
    found.into_iter().map(fate).collect()
}

/// What two names in a directory of sessions are.
pub fn classify(directory: &str, app: &str, name: &str) -> Found {
    match (AppId::parse(app), SessionName::parse(name)) {
        (Ok(id), Ok(name)) => Found::Session { id, name },
        _ => Found::Strange(format!("{directory}/{app}/{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_that_nobody_uses_go() {
        let found = [("a", "one"), ("a", "two"), ("b", ".hidden"), ("-b", "x"), ("b", "three")];
        let found = found.map(|(app, name)| classify("/s", app, name)).to_vec();
        let used = |_: &AppId, name: &SessionName| (name.as_str() == "two").then(|| Use::Unit("active".into()));
        let said: Vec<String> = decide(found, used).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "remove a one: nobody uses it",
                "keep a two: its unit is active",
                "leave /s/b/.hidden: it is no session",
                "leave /s/-b/x: it is no session",
                "remove b three: nobody uses it",
            ]
        );
    }
}
