//! The name of a host overlay: a directory below our state, and the instance of its unit.
//! Whether another overlay has it already is the registry's question, not this file's.
//! The rule is that of app ids (docs/overlays.md), so that systemd needs no escaping.

use crate::name::AppId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A checked name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OverlayName(AppId);

impl OverlayName {
    /// Checks a name; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        match AppId::parse(text) {
            Ok(id) => Ok(Self(id)),
            Err(_) => Err(format!(
                "{text:?} is not the name of an overlay: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, without \"..\""
            )),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as the instance of a unit; ids and names follow one rule.
    pub fn as_instance(&self) -> &AppId {
        &self.0
    }
}

impl fmt::Display for OverlayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for OverlayName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<OverlayName> for String {
    fn from(name: OverlayName) -> Self {
        name.as_str().to_owned()
    }
}
