//! The name of a host overlay: a directory below our state, and the instance of its unit.
//! Whether another overlay has it already is the registry's question, not this file's.
//! The rule is that of app ids (docs/overlays.md), so that systemd needs no escaping.

use crate::name::AppId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest name. Three layers of an overlay have it in their paths, and mount(8) gives the kernel all three in one value,
/// which has at most 255 bytes (fsconfig(2)).
pub const LENGTH_MAX: usize = 50;

/// A checked name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OverlayName(AppId);

impl OverlayName {
    /// Checks a name; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        match AppId::parse(text) {
            Ok(id) if text.len() <= LENGTH_MAX => Ok(Self(id)),
            _ => Err(format!(
                "{text:?} is not the name of an overlay: 1 to {LENGTH_MAX} of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, without \"..\""
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

#[cfg(test)]
mod tests {
    use super::super::record::{Lifetime, Mode};
    use super::super::{OverlayPaths, units};
    use super::*;

    #[test]
    fn the_layers_of_the_longest_name_fit_into_one_value() {
        let name = OverlayName::parse(&"n".repeat(LENGTH_MAX)).expect("a name");
        for mode in [Mode::ReadOnly, Mode::Writable] {
            let paths = OverlayPaths::new(&name, Lifetime::Persistent);
            assert!(units::lower(&paths, mode).join(":").len() <= 255);
        }
        assert!(OverlayName::parse(&"n".repeat(LENGTH_MAX + 1)).is_err());
    }
}
