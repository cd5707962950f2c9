//! The command line of `veneer-inject`, checked.
//! It opens nothing; whether the files are there shows when they are opened.
//! The options are those of docs/inject.md; units name them, so they stay.

use super::form::Wanted;
use super::layer::Extent;
use super::wish::Replacing;
use crate::convert::Output;
use crate::image::ext4::{self, Journal};
use crate::merge::Boot;
use crate::size::Size;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, ValueEnum};
use std::path::PathBuf;

/// Puts an agent and other files into an image: into a new one, which takes the name of the output when it is whole.
#[derive(Debug, Parser)]
#[command(name = "veneer-inject", version, arg_required_else_help = true)]
pub struct Arguments {
    /// The image: ext4, or EROFS without compression
    image: PathBuf,
    /// What to write: DIR/NAME.raw, .verity, .roothash and .manifest.json; the image's own name is possible
    #[arg(long, value_name = "DIR/NAME", value_parser = Output::parse, required_unless_present = "dry_run")]
    output: Option<Output>,
    /// A program to put at /sbin/vm-agent, with mode 0755 and owned by root
    #[arg(long, value_name = "FILE", required_unless_present_any = ["manifest", "bootable"])]
    agent: Option<PathBuf>,
    /// A file in TOML with an [inject] section: what else to put in
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Let what is put in take the place of what is there
    #[arg(long)]
    replace: bool,
    /// Show the steps and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The file system of the new image; the one it has if not given
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The size of an ext4 file system; the one it has, if what goes in finds room
    #[arg(long, value_parser = Size::parse)]
    size: Option<Size>,
    /// Whether an ext4 file system has a journal
    #[arg(long, value_enum)]
    journal: Option<WithJournal>,
    /// Write what is put in by itself, as a small image to be laid over this one, which stays as it is
    #[arg(long, conflicts_with_all = ["format", "size", "journal"])]
    layer: bool,
    /// Make it a root that a virtual machine can start from: an init, an empty machine-id and resolv.conf
    #[arg(long)]
    bootable: bool,
}

/// The file system of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Read-only, small, quick to write
    Erofs,
    /// For writable roots of virtual machines
    Ext4,
}

/// Whether there is a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WithJournal {
    /// None
    None,
    /// As large as mke2fs makes it
    BySize,
}

/// What becomes of what is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// An image is written.
    Writing(Output),
    /// The steps are shown.
    Showing,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The image that is there.
    pub image: PathBuf,
    /// What becomes of it.
    pub doing: Doing,
    /// The agent's file.
    pub agent: Option<PathBuf>,
    /// The manifest's.
    pub manifest: Option<PathBuf>,
    /// Whether something may lose its name.
    pub replacing: Replacing,
    /// As what file system.
    pub wanted: Wanted,
    /// How much of it.
    pub extent: Extent,
    /// Whether a virtual machine is to start from it.
    pub boot: Boot,
}

impl TryFrom<Arguments> for Spec {
    type Error = clap::Error;

    fn try_from(typed: Arguments) -> Result<Self, clap::Error> {
        let wrong = |said| Arguments::command().error(ErrorKind::ArgumentConflict, said);
        let wanted = wanted(typed.format, typed.size, typed.journal).map_err(wrong)?;
        Ok(Self {
            image: typed.image,
            doing: match typed.output {
                Some(output) if !typed.dry_run => Doing::Writing(output),
                _ => Doing::Showing,
            },
            agent: typed.agent,
            manifest: typed.manifest,
            replacing: if typed.replace { Replacing::Allowed } else { Replacing::Refused },
            extent: if typed.layer { Extent::Layer } else { Extent::Whole },
            boot: if typed.bootable { Boot::Made } else { Boot::Left },
            wanted: if typed.layer { Wanted::Erofs } else { wanted },
        })
    }
}

fn wanted(format: Option<Format>, size: Option<Size>, journal: Option<WithJournal>) -> Result<Wanted, &'static str> {
    let size = size.map(|size| ext4::Size::Bytes(size.bytes()));
    let journal = journal.map(|journal| match journal {
        WithJournal::None => Journal::None,
        WithJournal::BySize => Journal::BySize,
    });
    let plain = size.is_none() && journal.is_none();
    match format {
        Some(Format::Erofs) if plain => Ok(Wanted::Erofs),
        Some(Format::Erofs) => Err("--size and --journal are for --format=ext4"),
        Some(Format::Ext4) => Ok(Wanted::Ext4(size, journal)),
        None if plain => Ok(Wanted::Same),
        None => Ok(Wanted::SameExt4(size, journal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Spec, String> {
        let words = std::iter::once("veneer-inject").chain(line.split_whitespace());
        Arguments::try_parse_from(words).and_then(Spec::try_from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_line_says_what_goes_where() {
        let spec = parsed("/x/a.raw --output /y/b --agent /z").expect("good");
        let Doing::Writing(output) = &spec.doing else { panic!("{spec:?}") };
        assert_eq!((&*output.directory, output.name.as_str()), ("/y", "b"));
        assert_eq!((spec.replacing, spec.wanted), (Replacing::Refused, Wanted::Same));
        let spec = parsed("a.raw --manifest m --dry-run --replace --output b --format ext4").expect("good");
        assert_eq!((spec.doing, spec.replacing), (Doing::Showing, Replacing::Allowed));
        assert_eq!(spec.wanted, Wanted::Ext4(None, None));
        let spec = parsed("a.raw --agent x --output b --size 1M --journal none").expect("good");
        assert_eq!(spec.wanted, Wanted::SameExt4(Some(ext4::Size::Bytes(1 << 20)), Some(Journal::None)));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "",
            "a.raw",
            "a.raw --agent x",
            "a.raw --output b",
            "a.raw --agent x --output b.raw",
            "a.raw --agent x --output b/",
            "a.raw --agent x --output b --layer --size 1G",
            "a.raw --agent x --output b --format erofs --size 1G",
            "a.raw --agent x --output b --format erofs --journal none",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
