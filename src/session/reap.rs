//! Which sessions nobody needs any more: a decision, shown before anything is deleted.
//! It looks at nothing; `host::session::reap` gathers what is there and who uses it, and deletes.
//! The rules are those of prune: what is not ours, by its mark and not by its name, is left and said, what is in use is kept, and if anything could not
//! be read, nothing goes at all.

use crate::name::{AppId, SessionName};
use serde::Serialize;
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
    Strange(String, Foreign),
}

/// Why something that lies where sessions are kept is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// Its name, or that of the directory it is in, is no session's.
    Name,
    /// It is no directory.
    NoDirectory,
    /// It belongs to this user.
    Owner(u32),
    /// It has no mark that says which session's it is.
    Unmarked,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(f, "its name is no session's"),
            Self::NoDirectory => write!(f, "it is no directory"),
            Self::Owner(user) => write!(f, "it belongs to uid {user}"),
            Self::Unmarked => write!(f, "it has no mark of a session's"),
        }
    }
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

/// Why a session goes.
const UNUSED: &str = "nobody uses it";

/// What becomes of something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Remove(AppId, SessionName),
    /// It stays.
    Keep(AppId, SessionName, Use),
    /// It is not ours, and why not.
    Leave(String, Foreign),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(id, name) => write!(f, "remove {id} {name}: {UNUSED}"),
            Self::Keep(id, name, why) => write!(f, "keep {id} {name}: {why}"),
            Self::Leave(path, why) => write!(f, "leave {path}: {why}"),
        }
    }
}

/// A fate as programs get it.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `remove`, `keep` or `leave`.
    fate: &'static str,
    /// The session's app; absent of what is no session.
    app: Option<String>,
    /// The session.
    session: Option<String>,
    /// What is left alone.
    path: Option<String>,
    /// Why.
    why: String,
}

impl From<&Fate> for Row {
    fn from(fate: &Fate) -> Self {
        let session = |fate, id: &AppId, name: &SessionName, why| Self {
            fate,
            app: Some(id.to_string()),
            session: Some(name.to_string()),
            path: None,
            why,
        };
        match fate {
            Fate::Remove(id, name) => session("remove", id, name, UNUSED.to_owned()),
            Fate::Keep(id, name, why) => session("keep", id, name, why.to_string()),
            Fate::Leave(path, why) => {
                Self { fate: "leave", app: None, session: None, path: Some(path.clone()), why: why.to_string() }
            }
        }
    }
}

/// Decides about everything that was found.
pub fn decide(found: Vec<Found>, used: impl Fn(&AppId, &SessionName) -> Option<Use>) -> Vec<Fate> {
    let fate = |found| match found {
        Found::Strange(path, why) => Fate::Leave(path, why),
        Found::Session { id, name } => match used(&id, &name) {
            Some(why) => Fate::Keep(id, name, why),
            None => Fate::Remove(id, name),
        },
    };
    found.into_iter().map(fate).collect()
}

/// What two names are; whether what has them is a session's is seen by looking at it.
pub fn classify(directory: &str, app: &str, name: &str) -> Found {
    match (AppId::parse(app), SessionName::parse(name)) {
        (Ok(id), Ok(name)) => Found::Session { id, name },
        _ => Found::Strange(format!("{directory}/{app}/{name}"), Foreign::Name),
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
        let fates = decide(found, used);
        let rows: Vec<Row> = fates.iter().take(3).map(Row::from).collect();
        assert_eq!(
            serde_json::to_string(&rows).expect("text"),
            concat!(
                r#"[{"fate":"remove","app":"a","session":"one","path":null,"why":"nobody uses it"},"#,
                r#"{"fate":"keep","app":"a","session":"two","path":null,"why":"its unit is active"},"#,
                r#"{"fate":"leave","app":null,"session":null,"path":"/s/b/.hidden","why":"its name is no session's"}]"#
            )
        );
        let said: Vec<String> = fates.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "remove a one: nobody uses it",
                "keep a two: its unit is active",
                "leave /s/b/.hidden: its name is no session's",
                "leave /s/-b/x: its name is no session's",
                "remove b three: nobody uses it",
            ]
        );
    }
}
