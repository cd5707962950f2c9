//! What `veneer-verity attach` is asked for: its command line, checked.
//! It opens nothing; whether the files are there and good is found when it is done.
//! The options are those of docs/verity.md; the generator writes them, `systemctl cat` shows them.

use crate::app::{FileSystem, Image, ImageFile, ImagePlace, Trust, Verify};
use crate::name::AppId;
use crate::path::AbsPath;
use crate::root_hash::RootHash;

/// What is to be attached, for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The app.
    pub id: AppId,
    /// Where its root comes from and how far it must be trusted.
    pub image: Image,
    /// Mount points the image may lack.
    pub points: Vec<Point>,
    /// The digest of the units this command line stands in.
    pub chain: Option<String>,
}

/// A mount point of an app's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Where it is in the root.
    pub target: AbsPath,
    /// What will be mounted there, which says whether it is a directory or a file; a directory if not known.
    pub source: Option<AbsPath>,
}

impl Point {
    /// `TARGET` or `TARGET:SOURCE`.
    fn parse(text: &str) -> Result<Self, String> {
        // Both are absolute, so the colon between them stands before a slash.
        let (target, source) = match text.rfind(":/") {
            Some(at) => (&text[..at], Some(AbsPath::parse(&text[at + 1..])?)),
            None => (text, None),
        };
        Ok(Self { target: AbsPath::parse(target)?, source })
    }
}

/// Whether a command does what it says or only says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It does it.
    Really,
    /// It checks, shows the steps, and changes nothing.
    Dry,
}

/// An image as options name it, while they are read.
#[derive(Default)]
pub(crate) struct Typed {
    image: Option<AbsPath>,
    name: Option<Box<str>>,
    directory: Option<AbsPath>,
    stores: Vec<AbsPath>,
    fallback: Option<AbsPath>,
    require: Option<String>,
    root_hash: Option<RootHash>,
    kind: FileSystem,
    verify: Verify,
}

impl Spec {
    /// Reads what stands behind `attach`; the error is a sentence.
    pub fn parse(arguments: &[String]) -> Result<(Self, Run), String> {
        let mut words = Words::new(arguments);
        let id = AppId::parse(words.positional.first().ok_or("attach needs an app's id")?)?;
        if let Some(extra) = words.positional.get(1) {
            return Err(format!("{extra:?} is one word too many"));
        }
        let (mut typed, mut points, mut chain, mut run) = (Typed::default(), Vec::new(), None, Run::Really);
        while let Some((option, value)) = words.next_option() {
            match option.as_str() {
                "--dry-run" => run = Run::Dry,
                "--chain" => chain = Some(value?),
                "--point" => points.push(Point::parse(&value?)?),
                _ => typed.take(&option, value?)?,
            }
        }
        Ok((Self { id, image: typed.image()?, points, chain }, run))
    }
}

impl Typed {
    /// Takes one option.
    pub(crate) fn take(&mut self, option: &str, value: String) -> Result<(), String> {
        match option {
            "--image" => self.image = Some(AbsPath::parse(&value)?),
            "--name" => self.name = Some(file_name(&value)?),
            "--store" => self.stores.push(AbsPath::parse(&value)?),
            "--directory" => self.directory = Some(AbsPath::parse(&value)?),
            "--fallback" => self.fallback = Some(AbsPath::parse(&value)?),
            "--require" => self.require = Some(value),
            "--root-hash" => self.root_hash = Some(RootHash::parse(&value)?),
            "--type" => self.kind = FileSystem::parse(&value).ok_or_else(|| unknown(&value, &FileSystem::NAMES))?,
            "--verify" => self.verify = verify(&value)?,
            _ => return Err(format!("there is no option {option:?}")),
        }
        Ok(())
    }

    /// The image that was named.
    pub(crate) fn image(self) -> Result<Image, String> {
        let place = match (self.image, self.name, self.directory) {
            (Some(path), None, None) => ImagePlace::At(path),
            (None, Some(name), None) if !self.stores.is_empty() => ImagePlace::Named { name, roots: self.stores },
            (None, Some(_), None) => return Err("--name needs a --store to look in".into()),
            (None, None, Some(directory)) => return Ok(Image::Directory(directory)),
            _ => return Err("one of --image, --name and --directory is needed".into()),
        };
        let trust = match (self.require.as_deref(), self.root_hash) {
            (Some("none"), None) => Trust::Nothing,
            (None | Some("verity"), None) => Trust::Verity,
            (None | Some("verity" | "pinned"), Some(hash)) => Trust::Pinned(hash),
            (Some("signed"), hash) => Trust::Signed(hash),
            (Some("pinned"), None) => return Err("--require=pinned needs --root-hash".into()),
            (Some("none"), Some(_)) => return Err("--require=none has no use for --root-hash".into()),
            (Some(other), _) => return Err(unknown(other, &Trust::NAMES)),
        };
        Ok(Image::File(ImageFile { place, kind: self.kind, trust, verify: self.verify, fallback: self.fallback }))
    }
}

fn verify(value: &str) -> Result<Verify, String> {
    [Verify::Tree, Verify::Full]
        .into_iter()
        .find(|verify| verify.name() == value)
        .ok_or_else(|| unknown(value, &Verify::NAMES))
}

/// The refusal of a word that is none of these.
pub(crate) fn unknown(value: &str, names: &[&str]) -> String {
    format!("{value:?} is none of {}", names.join(", "))
}

fn file_name(text: &str) -> Result<Box<str>, String> {
    if text.is_empty() || text.starts_with('.') || text.contains('/') {
        return Err(format!("{text:?} is not the name of a file"));
    }
    Ok(text.into())
}

/// A command line's words: positional ones, and options as `--name=value` or `--name value`.
pub struct Words {
    /// What is no option.
    pub positional: Vec<String>,
    options: std::vec::IntoIter<(String, Option<String>)>,
}

/// Options that stand alone.
const SWITCHES: [&str; 1] = ["--dry-run"];

impl Words {
    /// Sorts the words; behind `--` nothing is an option.
    pub fn new(arguments: &[String]) -> Self {
        let (mut positional, mut options) = (Vec::new(), Vec::new());
        let mut words = arguments.iter().cloned();
        while let Some(word) = words.next() {
            if word == "--" {
                positional.extend(words.by_ref());
            } else if !word.starts_with("--") {
                positional.push(word);
            } else if let Some((name, value)) = word.split_once('=') {
                options.push((name.to_owned(), Some(value.to_owned())));
            } else {
                let value = if SWITCHES.contains(&word.as_str()) { None } else { words.next() };
                options.push((word, value));
            }
        }
        Self { positional, options: options.into_iter() }
    }

    /// The next option, with its value or the complaint that it has none.
    pub fn next_option(&mut self) -> Option<(String, Result<String, String>)> {
        let (name, value) = self.options.next()?;
        let value = value.ok_or_else(|| format!("{name} needs a value"));
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<(Spec, Run), String> {
        Spec::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_generators_lines_are_understood() {
        let (spec, run) = parse("hello --image=/i/hello.raw --point=/data:/srv/x --point=/var/lib/x --chain=00ff")
            .expect("good line");
        let points =
            spec.points.iter().map(|point| (point.target.as_str(), point.source.as_ref().map(AbsPath::as_str)));
        assert_eq!(points.collect::<Vec<_>>(), [("/data", Some("/srv/x")), ("/var/lib/x", None)]);
        assert_eq!((spec.id.as_str(), spec.chain.as_deref(), run), ("hello", Some("00ff"), Run::Really));
        let Image::File(file) = spec.image else { panic!("an image file") };
        assert_eq!((file.trust, file.kind, file.verify), (Trust::Verity, FileSystem::Erofs, Verify::Tree));

        let hash = "ab".repeat(32);
        let line = format!(
            "a --name x --store /s --store /t --root-hash {hash} --require signed --type ext4 --verify full --fallback /f --dry-run"
        );
        let (spec, run) = parse(&line).expect("good line");
        let Image::File(file) = spec.image else { panic!("an image file") };
        assert!(matches!(&file.place, ImagePlace::Named { name, roots } if &**name == "x" && roots.len() == 2));
        assert!(matches!(file.trust, Trust::Signed(Some(_))));
        assert_eq!((file.fallback.map(|path| path.to_string()), run), (Some("/f".into()), Run::Dry));
        assert!(matches!(parse("a --directory /opt/a").expect("good").0.image, Image::Directory(_)));
    }

    #[test]
    fn lines_that_mean_nothing_are_refused() {
        for (line, reason) in [
            ("", "an app's id"),
            ("a", "one of"),
            ("a b --image /x", "too many"),
            ("a --image x", "absolute"),
            ("a --image", "needs a value"),
            ("a --image /x --name y --store /s", "one of"),
            ("a --name y", "--store"),
            ("a --name ../y --store /s", "name of a file"),
            ("a --image /x --require pinned", "--root-hash"),
            ("a --image /x --require maybe", "none of"),
            ("a --image /x --type fat", "none of"),
            ("a --image /x --what 1", "no option"),
        ] {
            let said = parse(line).expect_err(line);
            assert!(said.contains(reason), "{line}: {said}");
        }
    }
}
