//! Which version of an app's image is used next.
//! Pure: the links and the history are given.
//! An image that was left is not taken again by itself, and nothing leads back to what was made from something else:
//! an app whose file names another image runs that or nothing.

use super::history::{History, Trial};
use crate::image::publish::ImageName;
use crate::store::{Version, Versions};

/// What becomes of the app's versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The image is the one in use.
    Keep(Version),
    /// The image was left before: the one in use stays.
    Stay(Version),
    /// A new version, with the history as it is then.
    Switch(Version, History),
}

/// The version that `current` leads to: of several with its image, the newest.
pub fn current(versions: &Versions) -> Option<&Version> {
    versions.versions.iter().rev().find(|version| Some(&version.image) == versions.current.as_ref())
}

/// Decides about an image that was made from this reference.
pub fn decide(versions: &Versions, history: &History, reference: &str, image: &ImageName) -> Decision {
    let same = |version: &&Version| history.made_from.get(&version.number).is_some_and(|from| from == reference);
    let current = current(versions);
    if let Some(version) = current.filter(same) {
        if version.image == *image {
            return Decision::Keep(version.clone());
        }
        if history.has_left(reference, image) {
            return Decision::Stay(version.clone());
        }
    }
    let number = versions.versions.last().map_or(1, |version| version.number + 1);
    let mut history = history.clone();
    history.made_from.insert(number, reference.to_owned());
    history.trial =
        current.filter(same).map(|current| Trial { version: number, previous: current.number, started: None });
    Decision::Switch(Version { number, image: image.clone() }, history)
}

/// The version to go back to from the one in use: where it came from while it is on trial, else the newest before it that
/// was made from the same and was not left itself.
pub fn before<'a>(versions: &'a Versions, history: &History) -> Option<(&'a Version, &'a Version)> {
    let current = current(versions)?;
    let from = history.made_from.get(&current.number)?;
    let older = versions.versions.iter().rev().filter(|version| version.number < current.number);
    let mut older =
        older.filter(|version| version.image != current.image && history.made_from.get(&version.number) == Some(from));
    let came_from = history.trial.as_ref().filter(|trial| trial.version == current.number).map(|trial| trial.previous);
    let older = match came_from {
        Some(number) => older.find(|version| version.number == number),
        None => older.find(|version| !history.has_left(from, &version.image)),
    };
    Some((current, older?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AppId;

    const FROM: &str = "docker://r.example/a:1";

    fn image(name: &str) -> ImageName {
        ImageName::parse(name).expect("a name")
    }

    fn versions(images: &[&str], current: Option<&str>) -> Versions {
        let versions = (1..).zip(images).map(|(number, name)| Version { number, image: image(name) }).collect();
        Versions { app: AppId::parse("a").expect("an id"), current: current.map(image), versions }
    }

    fn history(count: u64, from: &str) -> History {
        History { made_from: (1..=count).map(|number| (number, from.to_owned())).collect(), ..History::default() }
    }

    #[test]
    fn the_first_version_is_on_no_trial_and_the_next_one_is() {
        let Decision::Switch(first, after) = decide(&versions(&[], None), &History::default(), FROM, &image("x"))
        else {
            panic!("a switch")
        };
        assert_eq!((first.number, &after.trial), (1, &None));
        let one = versions(&["x"], Some("x"));
        assert!(matches!(decide(&one, &after, FROM, &image("x")), Decision::Keep(_)));
        let Decision::Switch(second, after) = decide(&one, &after, FROM, &image("y")) else { panic!("a switch") };
        assert_eq!((second.number, after.trial), (2, Some(Trial { version: 2, previous: 1, started: None })));
    }

    #[test]
    fn what_was_left_is_not_taken_again_unless_the_app_names_another_reference() {
        let two = versions(&["x", "y"], Some("x"));
        let mut known = history(2, FROM);
        known.leave(2, &image("y"));
        assert!(matches!(decide(&two, &known, FROM, &image("y")), Decision::Stay(version) if version.number == 1));
        let Decision::Switch(third, after) = decide(&two, &known, "docker://r.example/b", &image("y")) else {
            panic!("a switch")
        };
        // Nothing to go back to: what was there is another image.
        assert_eq!((third.number, after.trial), (3, None));
    }

    #[test]
    fn back_leads_to_the_version_before_that_was_made_from_the_same() {
        let three = versions(&["x", "y", "z"], Some("z"));
        let numbers =
            |versions: &Versions, known: &History| before(versions, known).map(|(from, to)| (from.number, to.number));
        assert_eq!(numbers(&three, &history(3, FROM)), Some((3, 2)));
        let mut mixed = history(3, FROM);
        mixed.made_from.insert(2, "oci:/a".into());
        assert_eq!(numbers(&three, &mixed), Some((3, 1)));
        // The second was left: neither by hand nor from a trial that began at the first does anything lead to it again.
        let mut left = history(3, FROM);
        left.leave(2, &image("y"));
        assert_eq!(numbers(&three, &left), Some((3, 1)));
        left.trial = Some(Trial { version: 3, previous: 1, started: None });
        assert_eq!(numbers(&three, &left), Some((3, 1)));
        assert_eq!(numbers(&versions(&["x"], Some("x")), &history(1, FROM)), None);
        assert_eq!(numbers(&versions(&["x", "x"], Some("x")), &history(2, FROM)), None);
        assert_eq!(numbers(&three, &History::default()), None);
    }
}
