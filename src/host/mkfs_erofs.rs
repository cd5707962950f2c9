//! `mkfs.erofs`, for compressed images alone: it gets a tar of a tree that we have written, and what decides its bytes.
//! It is not asked for anything else: its images differ from version to version, so the version is part of the recipe.
//! Rules: mkfs.erofs(1) of erofs-utils 1.8, the first whose tar mode keeps files whole.

use super::notify::Progress;
use crate::convert::Compression;
use crate::image::identity::Uuid;
use crate::image::read::Reader;
use crate::image::tar;
use crate::image::tree::Time;
use crate::layer::limits::Limits;
use crate::verity::build::BLOCK;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = "mkfs.erofs";
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
const LEAST: (u32, u32) = (1, 8);

/// The program, found and asked for its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MkfsErofs {
    /// Its version, as it says it.
    pub version: String,
}

fn missing(said: &str) -> io::Error {
    let (major, minor) = LEAST;
    let needed = format!("--compress needs {PROGRAM} {major}.{minor} or later, package erofs-utils: {said}");
    io::Error::new(ErrorKind::Unsupported, needed)
}

impl MkfsErofs {
    /// Asks the program for its version.
    pub fn find() -> io::Result<Self> {
        let said = match Command::new(PROGRAM).env("PATH", PATH).arg("-V").output() {
            Ok(done) => String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing("there is none here")),
            Err(error) => return Err(error),
        };
        let is_version = |word: &&str| version(word).is_some();
        let word = said.lines().next().unwrap_or_default().split_whitespace().find(is_version);
        match word {
            Some(word) if version(word) >= Some(LEAST) => Ok(Self { version: word.to_owned() }),
            Some(word) => Err(missing(&format!("here it is {word}"))),
            None => Err(missing("this one does not say its version")),
        }
    }

    /// Makes a compressed image of an uncompressed one of ours; its size.
    pub fn compress(
        &self,
        compression: &Compression,
        (uuid, epoch): (Uuid, Time),
        from: (&File, u64),
        to: &File,
    ) -> io::Result<u64> {
        let arguments = [
            "--quiet".to_owned(),
            "--tar=f".into(),
            // The defaults depend on the machine's page size and number of processors.
            format!("-b{BLOCK}"),
            "--workers=1".into(),
            format!("-z{}", compression.argument()),
            format!("-U{uuid}"),
            format!("-T{}", epoch.seconds.max(0)),
            "--mkfs-time".into(),
            // A file without a name has one here, for whoever is our child.
            format!("/proc/{}/fd/{}", std::process::id(), to.as_raw_fd()),
        ];
        let mut command = Command::new(PROGRAM);
        command.env("PATH", PATH).env("LC_ALL", "C").env_remove("SOURCE_DATE_EPOCH").args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let fed = feed(&mut child, from);
        let done = child.wait_with_output()?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            let reason = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why").trim();
            return Err(io::Error::other(format!("{PROGRAM}: {reason} ({})", done.status)));
        }
        fed?;
        let size = to.metadata()?.len().next_multiple_of(BLOCK as u64);
        to.set_len(size)?;
        Ok(size)
    }
}

/// Writes the tar into the program; a program that has ended early says itself why.
fn feed(child: &mut Child, (file, size): (&File, u64)) -> io::Result<()> {
    let Some(pipe) = child.stdin.take() else { return Ok(()) };
    let mut progress = Progress::begin(format!("compressing with {PROGRAM}"), size);
    let mut out = io::BufWriter::with_capacity(1 << 16, Counted { pipe, done: 0, progress: &mut progress });
    let reader = Reader::open(file.try_clone()?, size, Limits { total_size: u64::MAX, ..Limits::default() })?;
    let tree = reader.tree()?;
    tar::write(&reader, &tree, &mut out)?;
    out.flush()
}

/// A pipe that says how far it is.
struct Counted<'a> {
    pipe: std::process::ChildStdin,
    done: u64,
    progress: &'a mut Progress,
}

impl io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.pipe.write(bytes)?;
        self.done += count as u64;
        self.progress.reached(self.done);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pipe.flush()
    }
}

/// The first two numbers of a version.
fn version(word: &str) -> Option<(u32, u32)> {
    let (major, rest) = word.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        for (word, wanted) in
            [("1.8.6", Some((1, 8))), ("1.5", Some((1, 5))), ("1.10-g1", Some((1, 10))), ("erofs", None), ("a.b", None)]
        {
            assert_eq!(version(word), wanted, "{word}");
        }
        assert!(Some((1, 10)) > Some(LEAST) && Some((1, 7)) < Some(LEAST));
    }
}
