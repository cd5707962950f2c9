//! What `veneer-clone` is asked for: its command lines, checked.
//! It opens nothing; whether the image is there and good is found when it is done.
//! The options are those of docs/sessions.md; the generator writes them, `systemctl cat` shows them.

use crate::app::{Image, Limits, Reflink, SessionKind};
use crate::layout::SESSION_DATA;
use crate::name::{AppId, SessionName};
use crate::path::AbsPath;
use crate::size::Size;
use crate::verity::Run;
use crate::verity::spec::{Typed, Words, unknown};

/// A session to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// The app.
    pub id: AppId,
    /// The session.
    pub name: SessionName,
    /// What it is to be.
    pub kind: SessionKind,
    /// What it is a copy of.
    pub source: Source,
    /// Whether its data is shared.
    pub reflink: Reflink,
    /// How large its disk is to be.
    pub resize: Option<Size>,
    /// Where sessions keep what they write.
    pub directory: AbsPath,
    /// How many there may be.
    pub limits: Limits,
}

/// What a session is a copy of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The app's image.
    pub image: Image,
    /// The read-only layers of the app's root, topmost first; the image is among them.
    pub lower: Vec<AbsPath>,
    /// Whether programs in an overlay may gain privileges by their set-id bits.
    pub set_id: SetId,
}

/// Whether set-id bits mean something in a session's overlay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetId {
    /// No.
    #[default]
    Ignored,
    /// Yes: the app's profile says so.
    Honoured,
}

impl Create {
    /// Reads what stands behind `create`; the error is a sentence.
    pub fn parse(arguments: &[String]) -> Result<(Self, Run), String> {
        let mut words = Words::new(arguments);
        let (id, name) = session(&words)?;
        let (mut typed, mut image, mut run) = (Options::default(), Typed::default(), Run::Really);
        while let Some((option, value)) = words.next_option() {
            if option == "--dry-run" {
                run = Run::Dry;
            } else if let Some(value) = typed.take(&option, value?)? {
                image.take(&option, value)?;
            }
        }
        let limits =
            Limits { per_app: typed.limit.unwrap_or(u32::MAX), in_all: typed.limit_in_all.unwrap_or(u32::MAX) };
        let source = Source { image: image.image()?, lower: typed.lower, set_id: typed.set_id };
        let directory = typed.directory.map_or_else(default_directory, Ok)?;
        let Options { kind, reflink, resize, .. } = typed;
        if source.lower.is_empty() && matches!(kind, SessionKind::Auto | SessionKind::Overlay) {
            return Err("an overlay needs a --lower to lie over".into());
        }
        Ok((Self { id, name, kind, source, reflink, resize, directory, limits }, run))
    }
}

#[derive(Default)]
struct Options {
    kind: SessionKind,
    reflink: Reflink,
    resize: Option<Size>,
    directory: Option<AbsPath>,
    lower: Vec<AbsPath>,
    set_id: SetId,
    limit: Option<u32>,
    limit_in_all: Option<u32>,
}

impl Options {
    /// Takes an option; gives the value back if the option is none of these.
    fn take(&mut self, option: &str, value: String) -> Result<Option<String>, String> {
        match option {
            "--kind" => self.kind = SessionKind::parse(&value).ok_or_else(|| unknown(&value, &SessionKind::NAMES))?,
            "--reflink" => self.reflink = Reflink::parse(&value).ok_or_else(|| unknown(&value, &Reflink::NAMES))?,
            "--resize" => self.resize = Some(Size::parse(&value)?),
            "--in" => self.directory = Some(AbsPath::parse(&value)?),
            "--lower" => self.lower.push(AbsPath::parse(&value)?),
            "--set-id" => self.set_id = set_id(&value)?,
            "--limit" => self.limit = Some(number(&value)?),
            "--limit-in-all" => self.limit_in_all = Some(number(&value)?),
            _ => return Ok(Some(value)),
        }
        Ok(None)
    }
}

/// The app and the session that a command line names.
pub fn session(words: &Words) -> Result<(AppId, SessionName), String> {
    match words.positional.as_slice() {
        [id, name] => Ok((AppId::parse(id)?, SessionName::parse(name)?)),
        _ => Err("an app's id and a session's name are needed, and nothing more".into()),
    }
}

fn default_directory() -> Result<AbsPath, String> {
    AbsPath::parse(SESSION_DATA)
}

fn set_id(value: &str) -> Result<SetId, String> {
    match value {
        "ignored" => Ok(SetId::Ignored),
        "honoured" => Ok(SetId::Honoured),
        other => Err(unknown(other, &["ignored", "honoured"])),
    }
}

fn number(value: &str) -> Result<u32, String> {
    value.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{value:?} is no number of sessions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<(Create, Run), String> {
        Create::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_generators_lines_are_understood() {
        let line = "hello one --kind=image --reflink=always --resize=8G --in=/srv/s --limit=2 --limit-in-all=9 \
                    --image=/i/a.raw --type=ext4 --dry-run";
        let (create, run) = parse(line).expect("good line");
        assert_eq!((create.id.as_str(), create.name.as_str(), run), ("hello", "one", Run::Dry));
        assert_eq!((create.kind, create.reflink), (SessionKind::Image, Reflink::Always));
        assert_eq!(create.limits, Limits { per_app: 2, in_all: 9 });
        let (create, _) = parse("a b --directory=/opt/a --lower=/l --lower=/m").expect("good line");
        assert_eq!((create.kind, create.directory.as_str()), (SessionKind::Auto, SESSION_DATA));
        assert_eq!(create.source.lower.len(), 2);
    }

    #[test]
    fn lines_that_mean_nothing_are_refused() {
        for (line, reason) in [
            ("a", "needed"),
            ("a b c --directory=/d", "nothing more"),
            ("a ../b --directory=/d", "begins with"),
            ("a x/b --directory=/d", "not '/'"),
            ("a b..c --directory=/d", "'..'"),
            ("a b\\x2fc --directory=/d", "not '\\\\'"),
            ("a b.mount --directory=/d", "does not end"),
            ("a b --directory=/d", "--lower"),
            ("a b --kind=reflink --directory=/d", "none of auto"),
            ("a b --kind=image --limit=0 --image=/x", "no number"),
            ("a b --kind=image", "one of"),
        ] {
            let said = parse(line).expect_err(line);
            assert!(said.contains(reason), "{line}: {said}");
        }
    }
}
