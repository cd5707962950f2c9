//! The command line of `veneer-inject`, checked.
//! It opens nothing; whether the files are there shows when they are opened.
//! The options are those of docs/inject.md; units name them, so they stay.

use super::wish::Replacing;
use crate::convert::{Form, Output};
use crate::image::erofs::EqualFiles;
use crate::image::ext4::{Journal, Size};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Puts an agent and other files into an image: into a new one, which takes the name of the output when it is whole.
#[derive(Debug, Parser)]
#[command(name = "veneer-inject", version, arg_required_else_help = true)]
pub struct Arguments {
    /// The image: an EROFS image without compression
    image: PathBuf,
    /// What to write: DIR/NAME.raw, .verity, .roothash and .manifest.json; the image's own name is possible
    #[arg(long, value_name = "DIR/NAME", value_parser = Output::parse, required_unless_present = "dry_run")]
    output: Option<Output>,
    /// A program to put at /sbin/vm-agent, with mode 0755 and owned by root
    #[arg(long, value_name = "FILE", required_unless_present = "manifest")]
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
    /// The file system of the new image
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The file system of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Read-only, small, quick to write
    #[default]
    Erofs,
    /// As large as what is in it, without a journal
    Ext4,
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
    pub form: Form,
}

impl From<Arguments> for Spec {
    fn from(typed: Arguments) -> Self {
        Self {
            image: typed.image,
            doing: match typed.output {
                Some(output) if !typed.dry_run => Doing::Writing(output),
                _ => Doing::Showing,
            },
            agent: typed.agent,
            manifest: typed.manifest,
            replacing: if typed.replace { Replacing::Allowed } else { Replacing::Refused },
            form: match typed.format {
                Format::Erofs => Form::Erofs(EqualFiles::Apart),
                Format::Ext4 => Form::Ext4(Size::Exact, Journal::None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Spec, String> {
        let words = std::iter::once("veneer-inject").chain(line.split_whitespace());
        Arguments::try_parse_from(words).map(Spec::from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_line_says_what_goes_where() {
        let spec = parsed("/x/a.raw --output /y/b --agent /z").expect("good");
        let Doing::Writing(output) = &spec.doing else { panic!("{spec:?}") };
        assert_eq!((&*output.directory, output.name.as_str()), ("/y", "b"));
        assert_eq!((spec.replacing, spec.form.name()), (Replacing::Refused, "erofs"));
        let spec = parsed("a.raw --manifest m --dry-run --replace --output b --format ext4").expect("good");
        assert_eq!((spec.doing, spec.replacing, spec.form.name()), (Doing::Showing, Replacing::Allowed, "ext4"));
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
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
