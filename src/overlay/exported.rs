//! What an exported overlay says of itself, and the files that it is made of.
//! It opens no file; whether this host may have such an overlay is decided as for any other.
//! The format is an interface (docs/overlays.md, "An exported overlay"): fields keep their meaning, unknown ones are passed over.

use super::record::{Kind, Mode, OnChange};
use super::spec::{self, MountOption, Spec};
use super::{OverlayName, Record};
use crate::path::AbsPath;
use crate::unit::Text;
use serde::{Deserialize, Serialize};

/// The version of this format.
pub const FORMAT: u32 = 1;
/// The name of what an overlay says of itself: the first file of the archive.
pub const ABOUT: &str = "overlay.json";
/// The image of what it changes, and what stands beside it, in this order; without endings.
pub const CHANGE: &str = "change";
/// Their endings.
pub const ENDINGS: [&str; 3] = ["roothash", "verity", "raw"];

/// An exported overlay, beside its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exported {
    /// The version of the format.
    pub format: u32,
    /// Its name.
    pub name: OverlayName,
    /// What it lay over.
    pub target: AbsPath,
    /// What that was.
    pub kind: Kind,
    /// Whether it could be written.
    pub mode: Mode,
    /// The most bytes that could be written into it.
    pub size: u64,
    /// What a person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What was done when its base changed.
    pub base_changed: OnChange,
    /// Further options of overlayfs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The system that it lay over, by its own name.
    pub system: String,
}

impl Exported {
    /// What is said of an overlay. Whose it is, and whether it stays, is for the host that it comes to.
    pub fn of(record: &Record) -> Self {
        Self {
            format: FORMAT,
            name: record.name.clone(),
            target: record.target.clone(),
            kind: record.kind,
            mode: record.mode,
            size: record.size,
            description: record.description.clone(),
            base_changed: record.base_changed,
            options: record.options.clone(),
            system: record.base.system.clone(),
        }
    }

    /// As text.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads what is said; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let exported: Self = serde_json::from_str(text).map_err(|error| format!("{ABOUT} says nothing: {error}"))?;
        match exported.format {
            FORMAT => Ok(exported),
            other => Err(format!("it has the format {other}, and this version knows {FORMAT}")),
        }
    }

    /// An overlay as it was, with this source; the error is a sentence. What it says is held to what may be typed.
    pub fn spec(&self, source: AbsPath) -> Result<Spec, String> {
        let mut spec = Spec::new(self.name.clone(), source, self.target.clone());
        spec.mode = self.mode;
        spec.size = spec::size(&self.size.to_string())?;
        spec.description = self.description.as_deref().map(Text::parse).transpose()?;
        spec.base_changed = self.base_changed;
        spec.options = self.options.iter().map(|option| MountOption::parse(option)).collect::<Result<_, _>>()?;
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn exported() -> Exported {
        Exported::of(&Record { description: Some("Mine".into()), ..record("a", "/usr/share/a") })
    }

    #[test]
    fn what_is_said_comes_back_as_what_may_be_typed() {
        let text = exported().to_text().expect("written");
        let read = Exported::parse(&text).expect("read");
        assert_eq!(read, exported());
        let spec = read.spec(AbsPath::parse("/srv/x").expect("path")).expect("spec");
        assert_eq!((spec.name.as_str(), spec.target.as_str(), spec.owner), ("a", "/usr/share/a", 0));
        assert_eq!((spec.mode, spec.size), (Mode::Writable, 1 << 20));
    }

    #[test]
    fn what_nobody_may_type_is_refused() {
        let text = exported().to_text().expect("written");
        for (what, other) in [
            ("\"name\": \"a\"", "\"name\": \"../a\""),
            ("/usr/share/a", "usr/../a"),
            ("\"format\": 1", "\"format\": 2"),
            ("\"writable\"", "\"set-id\""),
        ] {
            assert!(text.contains(what), "{what}");
            assert!(Exported::parse(&text.replace(what, other)).is_err(), "{other}");
        }
        let source = || AbsPath::parse("/srv/x").expect("path");
        let odd = |change: &dyn Fn(&mut Exported)| {
            let mut odd = exported();
            change(&mut odd);
            odd.spec(source())
        };
        assert!(odd(&|odd| odd.size = 5).is_err());
        assert!(odd(&|odd| odd.description = Some("a\nb".into())).is_err());
        assert!(odd(&|odd| odd.options = vec!["metacopy=on".into()]).is_err());
    }
}
