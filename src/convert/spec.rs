//! The command line of `veneer-convert`, checked.
//! It opens nothing; whether the source is there shows when it is opened.
//! The options are those of docs/convert.md; units name them, so they stay.

use super::compression::Compression;
use super::form::Form;
use super::output::Output;
use crate::image::erofs::EqualFiles;
use crate::image::ext4::{self, Journal};
use crate::image::partition::Machine;
use crate::inject::Injection;
use crate::layer::limits::Limits;
use crate::layer::pipeline::Threads;
use crate::merge::{Boot, Existing, MountPoints};
use crate::oci::document::Platform;
use crate::oci::source::Source;
use crate::size::Size;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, ValueEnum};
use std::path::PathBuf;

/// Turns a container image, a layer or a directory into a verified image.
#[derive(Debug, Parser)]
#[command(name = "veneer-convert", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to convert: oci:PATH[:NAME], oci-archive:PATH[:NAME], docker-archive:PATH[:NAME], overlay2:DIR,
    /// containerd:DIGEST, tar:PATH (tar:- for standard input), dir:PATH
    #[arg(value_parser = Source::parse)]
    source: Source,
    /// What to write: NAME.raw, NAME.verity, NAME.roothash and NAME.manifest.json; a path without an ending
    #[arg(long, value_name = "[DIR/]NAME", required_unless_present_any = ["check", "dry_run"],
          value_parser = Output::parse)]
    output: Option<Output>,
    /// The file system of the image
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The size of an ext4 file system; as large as what is in it if not given
    #[arg(long, value_parser = Size::parse)]
    size: Option<Size>,
    /// Whether an ext4 file system has a journal: it has one if --size is given
    #[arg(long, value_enum)]
    journal: Option<WithJournal>,
    /// Have files with the same bytes share them (EROFS)
    #[arg(long)]
    deduplicate: bool,
    /// Compress with mkfs.erofs (EROFS): lz4, lz4hc, lzma, deflate or zstd, with a level like zstd,19
    #[arg(long, value_name = "ALGORITHM[,LEVEL]", conflicts_with = "deduplicate", value_parser = Compression::parse)]
    compress: Option<Compression>,
    /// Also write a GPT disk image with the image, its hash tree and, if it is signed, the signature
    #[arg(long, value_name = "FILE", requires = "output", conflicts_with = "check")]
    disk: Option<PathBuf>,
    /// Also sign the root hash, with this private key in PEM
    #[arg(long, value_name = "FILE", requires_all = ["certificate", "output"], conflicts_with = "check")]
    key: Option<PathBuf>,
    /// The certificate of the key, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Read and check everything, and write nothing
    #[arg(long, conflicts_with = "output")]
    check: bool,
    /// Show the steps and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The machine that the image is for, like linux/arm64; this one if not given
    #[arg(long, value_parser = Platform::parse)]
    platform: Option<Platform>,
    /// Most bytes that may come out of the layers, with K, M, G or T (to base 1024)
    #[arg(long, value_name = "SIZE", default_value = "32G", value_parser = Size::parse)]
    max_size: Size,
    /// Most entries that the layers may have
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().entries)]
    max_entries: u64,
    /// Leave the mount points out that a sandbox needs
    #[arg(long)]
    no_mount_points: bool,
    /// Put a file into the image: SOURCE:TARGET[:MODE[:UID:GID]], mode 0755 if not given; any number of times
    #[arg(long, value_name = "SOURCE:TARGET[:MODE[:UID:GID]]", value_parser = Injection::parse_file)]
    inject: Vec<Injection<PathBuf>>,
    /// Have a directory in the image: TARGET[:MODE[:UID:GID]]; one that is there stays as it is if no mode is given
    #[arg(long, value_name = "TARGET[:MODE[:UID:GID]]", value_parser = Injection::parse_directory)]
    inject_directory: Vec<Injection<PathBuf>>,
    /// Put a symbolic link into the image: TARGET:TO
    #[arg(long, value_name = "TARGET:TO", value_parser = Injection::parse_link)]
    inject_link: Vec<Injection<PathBuf>>,
    /// A file in TOML with an [inject] section, as veneer-inject takes it: what else to put in
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Let what is injected take the place of what is there
    #[arg(long)]
    replace: bool,
    /// Make it a root that a virtual machine can start from: an init, an empty machine-id and resolv.conf
    #[arg(long)]
    bootable: bool,
    /// Do all the work in one thread; the image is the same
    #[arg(long)]
    one_thread: bool,
}

/// The file system of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Read-only, small, quick to write
    #[default]
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

/// What is to become of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// An image of this name.
    Writing(Output),
    /// Nothing: it is read and checked.
    Checking,
    /// Nothing at all: the steps are shown, for this name if one was given.
    Showing(Option<Output>),
}

/// What is made of a finished image, besides the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// A key and its certificate: a signature of the root hash.
    pub signer: Option<(PathBuf, PathBuf)>,
    /// A disk image, and the machine its root is for.
    pub disk: Option<(PathBuf, Machine)>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Where it comes from.
    pub source: Source,
    /// What becomes of it.
    pub doing: Doing,
    /// As what file system.
    pub form: Form,
    /// For which machine.
    pub platform: Platform,
    /// How it is compressed.
    pub compression: Option<Compression>,
    /// What is made besides.
    pub beside: Beside,
    /// Bounds.
    pub limits: Limits,
    /// Whether mount points are added.
    pub mount_points: MountPoints,
    /// What is injected: directories first, links last.
    pub inject: Vec<Injection<PathBuf>>,
    /// A file that says what else is.
    pub manifest: Option<PathBuf>,
    /// Whether that may take the place of what is there.
    pub existing: Existing,
    /// Whether a virtual machine is to start from it.
    pub boot: Boot,
    /// How the work is spread.
    pub threads: Threads,
}

impl Arguments {
    fn form(&self) -> Result<Form, &'static str> {
        match self.format {
            Format::Erofs if self.size.is_some() || self.journal.is_some() => {
                Err("--size and --journal are for --format=ext4")
            }
            Format::Erofs => Ok(Form::Erofs(if self.deduplicate { EqualFiles::Shared } else { EqualFiles::Apart })),
            Format::Ext4 if self.deduplicate => Err("--deduplicate is for --format=erofs"),
            Format::Ext4 if self.compress.is_some() => Err("--compress is for --format=erofs"),
            Format::Ext4 => {
                let size = self.size.map_or(ext4::Size::Exact, |size| ext4::Size::Bytes(size.bytes()));
                let journal = match (self.journal, self.size) {
                    (Some(WithJournal::None), _) | (None, None) => Journal::None,
                    (Some(WithJournal::BySize), _) | (None, Some(_)) => Journal::BySize,
                };
                Ok(Form::Ext4(size, journal))
            }
        }
    }
}

impl TryFrom<Arguments> for Spec {
    type Error = clap::Error;

    fn try_from(typed: Arguments) -> Result<Self, clap::Error> {
        let wrong = |said| Arguments::command().error(ErrorKind::ArgumentConflict, said);
        let form = typed.form().map_err(wrong)?;
        let platform = typed.platform.unwrap_or_else(Platform::of_this_machine);
        let disk = match typed.disk {
            Some(path) => {
                let machine = Machine::of(&platform.architecture);
                Some((path, machine.map_err(|said| Arguments::command().error(ErrorKind::InvalidValue, said))?))
            }
            None => None,
        };
        let limits = Limits { total_size: typed.max_size.bytes(), entries: typed.max_entries, ..Limits::default() };
        Ok(Self {
            doing: match (typed.dry_run, typed.output) {
                (true, output) => Doing::Showing(output),
                (false, Some(output)) => Doing::Writing(output),
                (false, None) => Doing::Checking,
            },
            source: typed.source,
            form,
            platform,
            compression: typed.compress,
            beside: Beside { signer: typed.key.zip(typed.certificate), disk },
            limits,
            mount_points: if typed.no_mount_points { MountPoints::Left } else { MountPoints::Added },
            inject: [typed.inject_directory, typed.inject, typed.inject_link].into_iter().flatten().collect(),
            manifest: typed.manifest,
            boot: if typed.bootable { Boot::Made } else { Boot::Left },
            existing: if typed.replace { Existing::Replaced } else { Existing::Refused },
            threads: if typed.one_thread { Threads::One } else { Threads::More },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Spec, String> {
        let words = std::iter::once("veneer-convert").chain(line.split_whitespace());
        Arguments::try_parse_from(words).and_then(Spec::try_from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_line_says_what_becomes_of_the_source() {
        let spec = parsed("tar:- --output /x/hello").expect("good");
        assert_eq!(spec.doing, Doing::Writing(Output::parse("/x/hello").expect("good")));
        assert_eq!(
            (spec.form, spec.mount_points, spec.existing),
            (Form::Erofs(EqualFiles::Apart), MountPoints::Added, Existing::Refused)
        );
        assert_eq!(spec.limits, Limits::default());
        let spec = parsed("dir:/ --check --max-size 1G --no-mount-points --platform arm64").expect("good");
        assert_eq!(
            (spec.doing, spec.limits.total_size, spec.mount_points),
            (Doing::Checking, 1 << 30, MountPoints::Left)
        );
        assert_eq!(spec.platform.to_string(), "linux/arm64");
        for (line, size, journal) in [
            ("", ext4::Size::Exact, Journal::None),
            ("--journal by-size", ext4::Size::Exact, Journal::BySize),
            ("--size 1G", ext4::Size::Bytes(1 << 30), Journal::BySize),
            ("--size 1G --journal none", ext4::Size::Bytes(1 << 30), Journal::None),
        ] {
            let spec = parsed(&format!("dir:/ --check --format ext4 {line}")).expect("good");
            assert_eq!(spec.form, Form::Ext4(size, journal), "{line}");
        }
        let spec = parsed("dir:/ --dry-run --inject /a:/sbin/a --inject b:/etc/b:0600").expect("good");
        let modes: Vec<u16> = spec.inject.iter().map(|file| file.meta.mode.0).collect();
        assert_eq!((spec.doing, modes), (Doing::Showing(None), vec![0o755, 0o600]));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "",
            "dir:/",
            "x:/ --check",
            "dir:/ --check --output x",
            "dir:/ --output x.raw",
            "dir:/ --output x/",
            "dir:/ --check --format fat",
            "dir:/ --check --size 1G",
            "dir:/ --check --journal none",
            "dir:/ --check --format ext4 --deduplicate",
            "dir:/ --check --format ext4 --compress lz4",
            "dir:/ --check --deduplicate --compress lz4",
            "dir:/ --check --compress gzip",
            "dir:/ --check --disk /d",
            "dir:/ --output x --key k",
            "dir:/ --output x --certificate c",
            "dir:/ --output x --disk d --platform mips",
            "dir:/ --check --max-size 0",
            "dir:/ --check --platform windows/amd64",
            "dir:/ --check --inject /a",
            "dir:/ --check --inject /a:/",
            "dir:/ --check --inject /a:/../b",
            "dir:/ --check --inject /a:/b:9",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
