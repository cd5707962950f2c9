//! What is known of an app's versions besides the images they lead to.
//! It reads no file; texts come in and go out.
//! Form: JSON; unknown keys of later versions are passed over.

use crate::image::publish::ImageName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct History {
    /// What each version was made from, by its number.
    pub made_from: BTreeMap<u64, String>,
    /// The version that has yet to show that the app comes up with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Images that were left again, and are not taken by themselves: what they were made from, and their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
}

/// A version on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number.
    pub version: u64,
    /// The version to go back to.
    pub previous: u64,
    /// When the app was first started with it, in seconds since 1970; not yet, if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
}

/// An image that was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// What it was made from.
    pub reference: String,
    /// Its name.
    pub image: String,
}

/// As many are remembered.
const LEFT_MAX: usize = 16;

impl History {
    /// The text of the file.
    pub fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads it; the error is a sentence.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| format!("it is no history of versions: {error}"))
    }

    /// Whether an image was left, as made from the same.
    pub fn has_left(&self, reference: &str, image: &ImageName) -> bool {
        self.left.iter().any(|left| left.reference == reference && left.image == image.as_str())
    }

    /// Remembers that a version was left.
    pub fn leave(&mut self, number: u64, image: &ImageName) {
        let reference = self.made_from.get(&number).cloned().unwrap_or_default();
        if !self.has_left(&reference, image) {
            self.left.push(Left { reference, image: image.to_string() });
        }
        let much = self.left.len().saturating_sub(LEFT_MAX);
        self.left.drain(..much);
        self.trial = None;
    }

    /// Notes that the app is started now with the version in use: a trial is over with the second start.
    pub fn start(&mut self, number: u64, now: u64) {
        self.trial = match self.trial.take() {
            Some(trial) if trial.version == number && trial.started.is_none() => {
                Some(Trial { started: Some(now), ..trial })
            }
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_comes_back_as_it_was() {
        let mut history = History::default();
        assert_eq!(History::parse(b"{}"), Ok(History::default()));
        history.made_from.insert(7, "docker://r.example/a:1".into());
        history.trial = Some(Trial { version: 7, previous: 6, started: None });
        history.leave(7, &ImageName::parse("sha256-12").expect("a name"));
        let text = history.to_text().expect("text");
        assert_eq!(History::parse(text.as_bytes()), Ok(history.clone()));
        assert!(history.trial.is_none() && history.left.len() == 1);
        assert!(History::parse(b"[1]").is_err());
    }

    #[test]
    fn a_trial_is_over_with_the_second_start_or_another_version() {
        let trial = |started: Option<u64>| Some(Trial { version: 2, previous: 1, started });
        let mut history = History { trial: trial(None), ..History::default() };
        history.start(2, 9);
        assert_eq!(history.trial, trial(Some(9)));
        history.start(2, 9);
        assert_eq!(history.trial, None);
        history.trial = trial(None);
        history.start(1, 9);
        assert_eq!(history.trial, None);
    }

    #[test]
    fn not_everything_that_was_left_is_remembered_for_ever() {
        let mut history = History::default();
        for number in 0..40 {
            history.leave(number, &ImageName::parse(&format!("image-{number}")).expect("a name"));
            history.leave(number, &ImageName::parse(&format!("image-{number}")).expect("a name"));
        }
        assert_eq!((history.left.len(), history.left[LEFT_MAX - 1].image.as_str()), (LEFT_MAX, "image-39"));
    }
}
