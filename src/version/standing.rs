//! How each version of an app stands: the one in use, the one on trial, the one to go back to.
//! Pure; it decides nothing that is not `decide`'s.
//! The words are part of the interface: programs get them from `veneer status` and `veneer image list`.

use super::decide::{before, current};
use super::history::History;
use crate::store::Versions;
use serde::Serialize;

/// How a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is started next, and has come up before.
    Current,
    /// It is started next, and has yet to show that the app comes up with it.
    OnTrial,
    /// A rollback leads to it.
    Previous,
    /// It is there.
    Kept,
}

impl Standing {
    /// In words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::OnTrial => "current, on trial",
            Self::Previous => "previous",
            Self::Kept => "kept",
        }
    }
}

/// The versions by their numbers, the newest first.
pub fn standings(versions: &Versions, history: Option<&History>) -> Vec<(u64, Standing)> {
    let none = History::default();
    let history = history.unwrap_or(&none);
    let current = current(versions).map(|version| version.number);
    let previous = before(versions, history).map(|(_, version)| version.number);
    let trial = history.trial.as_ref().map(|trial| trial.version);
    let standing = |number| match Some(number) {
        number if number == current && number == trial => Standing::OnTrial,
        number if number == current => Standing::Current,
        number if number == previous => Standing::Previous,
        _ => Standing::Kept,
    };
    versions.versions.iter().rev().map(|version| (version.number, standing(version.number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::publish::ImageName;
    use crate::name::AppId;
    use crate::store::Version;
    use crate::version::Trial;

    #[test]
    fn one_version_is_current_and_one_is_the_way_back() {
        let image = |name: &str| ImageName::parse(name).expect("a name");
        let all = (1..).zip(["a", "b", "c"]).map(|(number, name)| Version { number, image: image(name) }).collect();
        let mut versions =
            Versions { app: AppId::parse("x").expect("an id"), current: Some(image("c")), versions: all };
        let made_from = (1..=3).map(|number| (number, "docker://r/a".to_owned())).collect();
        let mut history = History { made_from, ..History::default() };
        let found = |versions: &Versions, history: &History| standings(versions, Some(history));
        use Standing::{Current, Kept, OnTrial, Previous};
        assert_eq!(found(&versions, &history), [(3, Current), (2, Previous), (1, Kept)]);
        history.trial = Some(Trial { version: 3, previous: 1, started: None });
        assert_eq!(found(&versions, &history), [(3, OnTrial), (2, Kept), (1, Previous)]);
        history.leave(3, &image("c"));
        versions.current = Some(image("b"));
        assert_eq!(found(&versions, &history), [(3, Kept), (2, Current), (1, Previous)]);
        assert_eq!(standings(&versions, None), [(3, Kept), (2, Current), (1, Kept)]);
    }
}
