//! Injections as words of a command line: units give what an app's file has in `[inject]` to the converter by them.
//! It opens nothing. Neither a source nor a target may have a colon, which parts them; what a link says may.
//! The words are those of veneer-convert@.service(8): `--inject`, `--inject-directory` and `--inject-link`.

use super::wish::{AGENT, Given, Injection, Purpose, What};
use crate::image::limits::check_link;
use crate::image::tree::{Meta, Mode};
use crate::layer::path::LayerPath;
use std::fmt::Display;
use std::path::PathBuf;

/// What a program that is put in has if nothing is said.
const PROGRAM: Mode = Mode(0o755);
const DIRECTORY: Mode = Mode(0o755);
const LINK: Mode = Mode(0o777);

impl<F: Display> Injection<F> {
    /// The word, with its option.
    pub fn word(&self) -> String {
        let target = self.target.shown();
        let Meta { mode: Mode(mode), uid, gid, .. } = self.meta;
        let owner = if (uid, gid) == (0, 0) { String::new() } else { format!(":{uid}:{gid}") };
        match &self.what {
            What::File(source) => format!("--inject={source}:{target}:{mode:04o}{owner}"),
            What::Directory(Given::Nothing) => format!("--inject-directory={target}"),
            What::Directory(Given::Said) => format!("--inject-directory={target}:{mode:04o}{owner}"),
            What::Link(to) => format!("--inject-link={target}:{}", String::from_utf8_lossy(to)),
        }
    }

    /// Whether a word can say it; the error is a sentence.
    pub fn check_word(&self) -> Result<(), String> {
        let mut paths = vec![self.target.shown()];
        if let What::File(source) = &self.what {
            paths.push(source.to_string());
        }
        let odd = paths.into_iter().find(|path| path.contains(':'));
        odd.map_or(Ok(()), |path| Err(format!("{path} has a colon in it, which parts source and target")))
    }
}

impl Injection<PathBuf> {
    /// A file: `SOURCE:TARGET[:MODE[:UID:GID]]`.
    pub fn parse_file(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not SOURCE:TARGET[:MODE[:UID:GID]]");
        let (source, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (target, meta) = target(rest, PROGRAM).map_err(|said| said.unwrap_or_else(wrong))?;
        if source.is_empty() {
            return Err(wrong());
        }
        let purpose = if target.as_bytes() == AGENT { Purpose::Agent } else { Purpose::Other };
        let meta = meta.unwrap_or_else(|| of(PROGRAM));
        Ok(Self { target, what: What::File(source.into()), meta, purpose })
    }

    /// A directory: `TARGET[:MODE[:UID:GID]]`; one that is there stays as it is if it has no mode.
    pub fn parse_directory(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not TARGET[:MODE[:UID:GID]]");
        let (target, meta) = target(text, DIRECTORY).map_err(|said| said.unwrap_or_else(wrong))?;
        let given = if meta.is_some() { Given::Said } else { Given::Nothing };
        let meta = meta.unwrap_or_else(|| of(DIRECTORY));
        Ok(Self { target, what: What::Directory(given), meta, purpose: Purpose::Other })
    }

    /// A symbolic link: `TARGET:TO`.
    pub fn parse_link(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not TARGET:TO");
        let (target, to) = text.split_once(':').ok_or_else(wrong)?;
        let target = path(target).map_err(|said| said.unwrap_or_else(wrong))?;
        check_link(to.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self { target, what: What::Link(to.as_bytes().into()), meta: of(LINK), purpose: Purpose::Other })
    }
}

fn of(mode: Mode) -> Meta {
    Meta { mode, ..Meta::default() }
}

/// `TARGET[:MODE[:UID:GID]]`; the error is a sentence, or nothing for the form being wrong.
fn target(text: &str, usual: Mode) -> Result<(LayerPath, Option<Meta>), Option<String>> {
    let id = |text: &str| text.parse::<u32>().map_err(|_| None);
    let (rest, uid, gid) = match text.rsplitn(3, ':').collect::<Vec<_>>()[..] {
        // Behind the mode, never without it.
        [gid, uid, rest] if rest.contains(':') => (rest, id(uid)?, id(gid)?),
        _ => (text, 0, 0),
    };
    let Some((target, mode)) = rest.rsplit_once(':') else { return Ok((path(rest)?, None)) };
    let mode = u16::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777).ok_or(None)?;
    Ok((path(target)?, Some(Meta { mode: Mode(mode), uid, gid, ..of(usual) })))
}

fn path(text: &str) -> Result<LayerPath, Option<String>> {
    let path = LayerPath::parse(text.as_bytes()).map_err(|error| Some(format!("{text:?}: {error}")))?;
    if path.is_root() { Err(None) } else { Ok(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reader = fn(&str) -> Result<Injection<PathBuf>, String>;

    const READERS: [(&str, Reader); 3] = [
        ("--inject=", Injection::parse_file),
        ("--inject-directory=", Injection::parse_directory),
        ("--inject-link=", Injection::parse_link),
    ];

    fn read(word: &str) -> Result<Injection<PathBuf>, String> {
        let reader = READERS.into_iter().find_map(|(option, read)| Some(read(word.strip_prefix(option)?)));
        reader.expect("one of the options")
    }

    #[test]
    fn a_word_is_read_back_as_it_was_written() {
        for word in [
            "--inject=/srv/a b:/etc/a:4600:7:8",
            "--inject=/srv/%1:/sbin/vm-agent:0755",
            "--inject-directory=/srv/d",
            "--inject-directory=/srv/d:1777",
            "--inject-directory=/srv/d:0700:1:2",
            "--inject-link=/etc/l:../a:b",
        ] {
            let shown = read(word).expect(word).try_map::<_, ()>(|path| Ok(path.display().to_string()));
            assert_eq!(shown.expect("a path").word(), word);
        }
        assert_eq!(read("--inject=/a:/sbin/vm-agent").expect("good").purpose, Purpose::Agent);
        let modes = ["/a:/b", "/a:b:0600"].map(|text| Injection::parse_file(text).expect(text).meta.mode.0);
        assert_eq!(modes, [0o755, 0o600]);
    }

    #[test]
    fn what_is_no_word_is_refused() {
        for word in [
            "--inject=/a",
            "--inject=:/b",
            "--inject=/a:/",
            "--inject=/a:/../b",
            "--inject=/a:/b:9",
            "--inject=/a:/b:0600:x:0",
            "--inject-directory=/",
            "--inject-directory=",
            "--inject-directory=/a:99",
            "--inject-link=/a",
            "--inject-link=/a:",
            "--inject-link=:b",
        ] {
            assert!(read(word).is_err(), "{word}");
        }
    }
}
