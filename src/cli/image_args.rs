//! The command line of `veneer image`.
//! It says what may be typed, and nothing of what is done: each verb has a file of its own.
//! Manners are those of `args`.

use super::args::{DryRun, Output};
use crate::image::partition::Machine;
use crate::origin::Origin;
use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// `veneer image`
#[derive(Debug, Args)]
pub struct Image {
    /// What to do.
    #[command(subcommand)]
    pub verb: ImageVerb,
}

/// What to do with an image.
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Turn a container image, an archive or a directory into an image; takes what veneer-convert takes
    #[command(disable_help_flag = true)]
    Convert(ImageConvert),
    /// Put an agent and other files into an image; takes what veneer-inject takes
    #[command(disable_help_flag = true)]
    Inject(ImageInject),
    /// List the images of the store
    List(ImageList),
    /// Fetch a container image, and make an image of it in the store
    Pull(ImagePull),
    /// Say by the exit code whether the store has what a reference leads to
    Exists(ImageExists),
    /// Make an image of a container image in the store, and write a file for an app of it
    Import(ImageImport),
    /// Look for a newer image of an app; it is used with the next start
    Update(ImageUpdate),
    /// Have an app use the version before again, with the next start
    Rollback(ImageRollback),
    /// Show what an image was made from, what stands beside it and what uses it
    Inspect(ImageInspect),
    /// Keep images, whatever refers to them
    Pin(ImagePin),
    /// Keep images no longer than they are needed
    Unpin(ImageUnpin),
    /// Remove images from the store that nothing uses
    Rm(ImageRm),
    /// Remove from the store what nothing uses; takes what veneer-prune takes
    #[command(disable_help_flag = true)]
    Prune(ImagePrune),
    /// Write the container image that an image was made from as an OCI layout
    Export(ImageExport),
    /// Put an image with its hash tree, root hash and signature into a registry
    Push(ImagePush),
    /// Read an image as a whole and compare it with its hash tree and root hash
    Verify(ImageVerify),
    /// Check an image, and sign its root hash
    Sign(ImageSign),
    /// Make a disk image of an image: GPT, with partitions for the root, its hash tree and its signature
    Disk(ImageDisk),
}

/// `veneer image convert`
#[derive(Debug, Args)]
pub struct ImageConvert {
    /// A source and options, as in veneer-convert@.service(8)
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// `veneer image inject`
#[derive(Debug, Args)]
pub struct ImageInject {
    /// An image and options, as in veneer-inject@.service(8)
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// `veneer image prune`
#[derive(Debug, Args)]
pub struct ImagePrune {
    /// Options, as in veneer-prune.service(8)
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// `veneer image list`
#[derive(Debug, Args)]
pub struct ImageList {
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer image pin`
#[derive(Debug, Args)]
pub struct ImagePin {
    /// Images of the store: references, names or the first digits of them, or apps (app:ID)
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
    /// Why, for whoever wonders later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image unpin`
#[derive(Debug, Args)]
pub struct ImageUnpin {
    /// Images of the store: references, names or the first digits of them, or apps (app:ID)
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image rm`
#[derive(Debug, Args)]
pub struct ImageRm {
    /// Images of the store: references, names or the first digits of them, or apps (app:ID)
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image export`
#[derive(Debug, Args)]
pub struct ImageExport {
    /// The image of the store: a reference, a name or the first digits of it, or an app (app:ID)
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// The directory of the layout, which must not be there yet
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image push`
#[derive(Debug, Args)]
pub struct ImagePush {
    /// The image of the store: a reference, a name or the first digits of it, or an app (app:ID)
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// Where to: docker://HOST/NAME:TAG, or oci:DIR:TAG
    #[arg(value_name = "REF")]
    pub reference: String,
    /// Credentials for the registry; none are taken from anywhere else
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Speak HTTP, or HTTPS with any certificate
    #[arg(long)]
    pub insecure: bool,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image pull`
#[derive(Debug, Args)]
pub struct ImagePull {
    /// A container image, as in image.oci of an app's file
    #[arg(value_name = "REFERENCE", value_parser = Origin::parse)]
    pub reference: Origin,
    /// Look again, though the store has it
    #[arg(long)]
    pub always: bool,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image exists`
#[derive(Debug, Args)]
pub struct ImageExists {
    /// A container image, as in image.oci of an app's file
    #[arg(value_name = "REFERENCE", value_parser = Origin::parse)]
    pub reference: Origin,
}

/// `veneer image import`
#[derive(Debug, Args)]
pub struct ImageImport {
    /// A container image, as in image.oci of an app's file
    #[arg(value_name = "SOURCE", value_parser = Origin::parse)]
    pub source: Origin,
    /// Write the file of this app; without it, the file's text is printed
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image update`
#[derive(Debug, Args)]
pub struct ImageUpdate {
    /// The apps
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image rollback`
#[derive(Debug, Args)]
pub struct ImageRollback {
    /// The app
    #[arg(value_name = "ID")]
    pub id: String,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image inspect`
#[derive(Debug, Args)]
pub struct ImageInspect {
    /// The image: a file, a reference, a name or the first digits of it, or an app (app:ID)
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `veneer image verify`
#[derive(Debug, Args)]
pub struct ImageVerify {
    /// The image: a file, a reference, a name or the first digits of it, or an app (app:ID)
    #[arg(value_name = "IMAGE")]
    pub image: String,
}

/// `veneer image sign`
#[derive(Debug, Args)]
pub struct ImageSign {
    /// The image: a file, a reference, a name or the first digits of it, or an app (app:ID)
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// The private key, in PEM
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The certificate of the key, in PEM
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}

/// `veneer image disk`
#[derive(Debug, Args)]
pub struct ImageDisk {
    /// The image: a file, a reference, a name or the first digits of it, or an app (app:ID)
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// The disk image to write
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
    /// The certificate that the image is signed with, in PEM
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// The architecture that the root is for, like amd64 or arm64; this machine's if not given
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Machine::of)]
    pub machine: Option<Machine>,
    /// Whether it is done.
    #[command(flatten)]
    pub dry: DryRun,
}
