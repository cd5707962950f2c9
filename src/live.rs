//! The mark of a live app: what its chain was set up from, and the very units that did it.
//! It opens nothing and judges nothing: `verity::stale` compares, the generator reads the units.
//! The format is ours: lines of `KEY VALUE`, then each unit by its length, so that any text comes back as it was.

use crate::name::AppId;
use crate::root_hash::RootHash;
use crate::unit::Content;
use std::fmt::Write as _;

/// The first line; the number grows when the meaning changes.
const HEADER: &str = "veneer-live 1";
/// The last line: a mark without it was not written whole.
const END: &str = "end";

/// What is up for an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveMark {
    /// The app.
    pub id: AppId,
    /// When it was set up: microseconds since 1970.
    pub since: u64,
    /// The digest of the units it was set up from; none if it was attached by hand.
    pub chain: Option<String>,
    /// Where its root comes from.
    pub source: LiveSource,
    /// Units, drop-ins and links by their path below the generator's directory.
    pub files: Vec<(String, Content)>,
}

/// Where a live app's root comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveSource {
    /// A plain directory.
    Directory(String),
    /// The fallback directory, because none of these images was there.
    Fallback {
        /// The directory.
        directory: String,
        /// Where an image was looked for.
        looked_for: Vec<String>,
    },
    /// An image.
    Image(Box<LiveImage>),
}

/// A live image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveImage {
    /// What was required (`none`, `verity`, `pinned`, `signed`).
    pub require: String,
    /// What it has shown.
    pub shown: Shown,
    /// The file system in it.
    pub kind: String,
    /// Its block device (`/dev/dm-3`).
    pub device: String,
    /// The device-mapper's name for it; none without verity.
    pub dm_name: Option<String>,
    /// Where an image was looked for, in order: the one found is the last.
    pub looked_for: Vec<String>,
    /// The image file as it was.
    pub file: FileMark,
    /// The files beside it as they were: tree, root hash, signature.
    pub side_files: Vec<FileMark>,
}

/// What an image has shown before it was mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// Integrity against the root hash in its side file.
    Integrity(RootHash),
    /// The root hash that the configuration pins.
    Pinned(RootHash),
    /// A signature, checked by us.
    Signed(RootHash),
    /// A signature, checked by us and by the kernel.
    SignedKernel(RootHash),
}

impl Shown {
    /// The word that stands for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Integrity(_) => "integrity",
            Self::Pinned(_) => "pinned",
            Self::Signed(_) => "signed",
            Self::SignedKernel(_) => "signed-kernel",
        }
    }

    /// The root hash it was shown for.
    pub fn root_hash(&self) -> Option<&RootHash> {
        match self {
            Self::Nothing => None,
            Self::Integrity(hash) | Self::Pinned(hash) | Self::Signed(hash) | Self::SignedKernel(hash) => Some(hash),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (word, hash) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "nothing" => Ok(Self::Nothing),
            "integrity" => RootHash::parse(hash).map(Self::Integrity),
            "pinned" => RootHash::parse(hash).map(Self::Pinned),
            "signed" => RootHash::parse(hash).map(Self::Signed),
            "signed-kernel" => RootHash::parse(hash).map(Self::SignedKernel),
            other => Err(format!("{other:?} is nothing an image can show")),
        }
    }
}

/// A file as it was when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMark {
    /// Its path.
    pub path: String,
    /// What tells it from another file at that path.
    pub identity: FileIdentity,
}

/// What tells a file from another one, and from itself changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    /// The file system's device number.
    pub device: u64,
    /// The inode.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written: nanoseconds since 1970.
    pub modified: i128,
}

impl LiveMark {
    /// The mark as text.
    pub fn to_text(&self) -> String {
        let mut out = format!("{HEADER}\n");
        let mut line = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{key} {}", escape(value));
        };
        line("app", self.id.as_str());
        line("since", &self.since.to_string());
        if let Some(chain) = &self.chain {
            line("chain", chain);
        }
        match &self.source {
            LiveSource::Directory(path) => line("directory", path),
            LiveSource::Fallback { directory, looked_for } => {
                looked_for.iter().for_each(|path| line("looked-for", path));
                line("fallback", directory);
            }
            LiveSource::Image(image) => image.write(&mut line),
        }
        for (path, content) in &self.files {
            match content {
                Content::File(text) => {
                    let _ = write!(out, "file {} {}\n{text}\n", text.len(), escape(path));
                }
                Content::Link(target) => {
                    let _ = write!(out, "link {} {}\n{target}\n", target.len(), escape(path));
                }
            }
        }
        out.push_str(END);
        out.push('\n');
        out
    }

    /// Reads a mark; the error is a sentence. Lines of unknown keys are passed over.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or("no mark of ours")?;
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        loop {
            let (line, behind) = rest.split_once('\n').ok_or("the mark ends before its end")?;
            rest = behind;
            if line == END {
                break;
            }
            let (key, value) = line.split_once(' ').ok_or_else(|| format!("{line:?} is no line of a mark"))?;
            if matches!(key, "file" | "link") {
                let (path, content, behind) = read_file(key, value, rest)?;
                files.push((path, content));
                rest = behind;
            } else {
                fields.push((key, unescape(value)));
            }
        }
        Fields(fields).into_mark(files)
    }
}

impl LiveImage {
    fn write(&self, line: &mut impl FnMut(&str, &str)) {
        line("require", &self.require);
        match self.shown.root_hash() {
            Some(hash) => line("shown", &format!("{} {hash}", self.shown.name())),
            None => line("shown", self.shown.name()),
        }
        line("type", &self.kind);
        line("device", &self.device);
        if let Some(name) = &self.dm_name {
            line("dm-name", name);
        }
        self.looked_for.iter().for_each(|path| line("looked-for", path));
        line("image", &self.file.to_text());
        self.side_files.iter().for_each(|file| line("side-file", &file.to_text()));
    }
}

impl FileMark {
    /// One line.
    pub fn to_text(&self) -> String {
        let FileIdentity { device, inode, size, modified } = self.identity;
        format!("{device} {inode} {size} {modified} {}", self.path)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let parsed = || {
            let mut words = text.splitn(5, ' ');
            let mut word = || words.next();
            let identity = FileIdentity {
                device: word()?.parse().ok()?,
                inode: word()?.parse().ok()?,
                size: word()?.parse().ok()?,
                modified: word()?.parse().ok()?,
            };
            Some(Self { path: word()?.to_owned(), identity })
        };
        parsed().ok_or_else(|| format!("{text:?} describes no file"))
    }
}

fn read_file<'a>(key: &str, value: &str, rest: &'a str) -> Result<(String, Content, &'a str), String> {
    let read = || {
        let (length, path) = value.split_once(' ')?;
        let length = length.parse().ok()?;
        let (text, behind) = (rest.get(..length)?.to_owned(), rest.get(length..)?.strip_prefix('\n')?);
        let content = if key == "file" { Content::File(text) } else { Content::Link(text) };
        Some((unescape(path), content, behind))
    };
    read().ok_or_else(|| format!("the mark ends within {value:?}"))
}

struct Fields<'a>(Vec<(&'a str, String)>);

impl Fields<'_> {
    fn all(&self, key: &str) -> Vec<String> {
        self.0.iter().filter(|(name, _)| *name == key).map(|(_, value)| value.clone()).collect()
    }

    fn maybe(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    fn one(&self, key: &str) -> Result<&str, String> {
        self.maybe(key).ok_or_else(|| format!("the mark does not say {key:?}"))
    }

    fn into_mark(self, files: Vec<(String, Content)>) -> Result<LiveMark, String> {
        let since = self.one("since")?.parse().map_err(|_| "the mark's time is no number")?;
        let source = match (self.maybe("directory"), self.maybe("fallback")) {
            (Some(path), _) => LiveSource::Directory(path.to_owned()),
            (_, Some(path)) => LiveSource::Fallback { directory: path.to_owned(), looked_for: self.all("looked-for") },
            _ => LiveSource::Image(Box::new(self.image()?)),
        };
        let chain = self.maybe("chain").map(str::to_owned);
        Ok(LiveMark { id: AppId::parse(self.one("app")?)?, since, chain, source, files })
    }

    fn image(&self) -> Result<LiveImage, String> {
        Ok(LiveImage {
            require: self.one("require")?.to_owned(),
            shown: Shown::parse(self.one("shown")?)?,
            kind: self.one("type")?.to_owned(),
            device: self.one("device")?.to_owned(),
            dm_name: self.maybe("dm-name").map(str::to_owned),
            looked_for: self.all("looked-for"),
            file: FileMark::parse(self.one("image")?)?,
            side_files: self.all("side-file").iter().map(|text| FileMark::parse(text)).collect::<Result<_, _>>()?,
        })
    }
}

/// One line of any text.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next() == Some('n') => out.push('\n'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(source: LiveSource) -> LiveMark {
        let files = vec![
            ("run-veneer-apps-a\\x2db-image.mount".to_owned(), Content::File("[Mount]\nWhat=x\n\nend\n".into())),
            ("app@a-b.service.d/40.conf".to_owned(), Content::Link("/usr/lib/\u{fc}".into())),
            ("empty".to_owned(), Content::File(String::new())),
        ];
        let id = AppId::parse("a-b").expect("good id");
        LiveMark { id, since: 12, chain: Some("00ff".into()), source, files }
    }

    fn image() -> LiveImage {
        let file = |path: &str, modified| FileMark {
            path: path.into(),
            identity: FileIdentity { device: 1, inode: 2, size: 3, modified },
        };
        LiveImage {
            require: "signed".into(),
            shown: Shown::SignedKernel(RootHash::parse(&"ab".repeat(32)).expect("good hash")),
            kind: "erofs".into(),
            device: "/dev/dm-3".into(),
            dm_name: Some("veneer-a-b-00000001".into()),
            looked_for: vec!["/s/a b.raw".into(), "/t/a\\nb.raw".into()],
            file: file("/t/a b\\.raw", -5),
            side_files: vec![file("/t/x", 0), file("/t/y", i128::from(i64::MAX))],
        }
    }

    #[test]
    fn every_kind_of_mark_comes_back() {
        let fallback =
            LiveSource::Fallback { directory: "/opt/a".into(), looked_for: vec!["/s/a.raw".into(), "/s/b".into()] };
        for source in [LiveSource::Directory("/opt/a b".into()), fallback, LiveSource::Image(Box::new(image()))] {
            let mark = mark(source);
            assert_eq!(LiveMark::parse(&mark.to_text()), Ok(mark));
        }
    }

    #[test]
    fn half_a_mark_is_none_and_unknown_lines_are_passed_over() {
        let text = mark(LiveSource::Image(Box::new(image()))).to_text();
        for (end, _) in text.char_indices() {
            assert!(LiveMark::parse(&text[..end]).is_err(), "{end}");
        }
        let newer = text.replace("since", "colour blue\nsince");
        assert_eq!(LiveMark::parse(&newer), LiveMark::parse(&text));
        assert!(LiveMark::parse(&text.replace("live 1", "live 2")).is_err());
    }

    proptest! {
        #[test]
        fn any_file_comes_back(path in "[^\0]{0,40}", text in "(?s).{0,200}", link in "(?s).{0,40}") {
            let mut mark = mark(LiveSource::Directory("/d".into()));
            mark.files = vec![(path.clone(), Content::File(text)), (path, Content::Link(link))];
            prop_assert_eq!(LiveMark::parse(&mark.to_text()), Ok(mark));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(?s)(veneer-live 1\n)?(file|link|app|image|shown| |[0-9]|\n|é){0,30}") {
            drop(LiveMark::parse(&text));
        }
    }
}
