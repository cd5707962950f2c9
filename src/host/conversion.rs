//! A conversion done: an image made of a source, with its hash tree and manifest, under its names; or found there.
//! It decides no byte: the writers do. When nothing is to be done follows from the manifest that is there.
//! Rules: docs/convert.md, "What is written" and "The cache".

use super::below_root::identity;
use super::convert::run;
use super::injected;
use super::interruption::{Interruption, State};
use super::mkfs_erofs::MkfsErofs;
use super::nameless::Nameless;
use super::publish::{Locked, Place, Unpublished};
use super::signature;
use super::source::{Opened, digest_of};
use crate::convert::recipe::{Named, recipe, seed};
use crate::convert::{Form, Output, Spec};
use crate::image::identity::{Purpose, Seed};
use crate::image::manifest::{Manifest, Recipe, Sizes};
use crate::image::publish::Part;
use crate::image::read::Reader;
use crate::image::{erofs, ext4};
use crate::inject::{AGENT, Image, boot};
use crate::layer::fault::bad;
use crate::layer::limits::Limits;
use crate::layer::pipeline::Threads;
use crate::live::FileIdentity;
use crate::merge::{Boot, Injections, Summary};
use crate::oci::source::Source;
use crate::root_hash::RootHash;
use crate::verity::Fault;
use crate::verity::build::{BLOCK, Built, Leaves};
use anyhow::{Context, Result};
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// The program's name and version, as manifests have it.
const TOOL: &str = concat!("veneer-convert ", env!("CARGO_PKG_VERSION"));

/// How a conversion ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The image was made.
    Made(Manifest, Summary),
    /// It was there already, made by the same recipe.
    Kept(Manifest),
}

/// A conversion, ready to be done.
pub struct Conversion<'a> {
    spec: &'a Spec,
    opened: &'a Opened,
    injections: Injections,
    recipe: Recipe,
    mkfs: Option<MkfsErofs>,
    cached: bool,
    /// What the image must come out as; nothing is published otherwise.
    expected: Option<RootHash>,
    /// The tar that the recipe's digest is of.
    tar: Option<(PathBuf, FileIdentity)>,
}

impl<'a> Conversion<'a> {
    /// Finds out what decides the image's bytes.
    pub fn new(spec: &'a Spec, opened: &'a Opened) -> io::Result<Self> {
        let (injections, injected) = injected::open(&spec.inject)?;
        let tar = tar(spec);
        let named = named(spec, opened)?;
        let mkfs = spec.compression.as_ref().map(|_| MkfsErofs::find()).transpose()?;
        let recipe = recipe(spec, &named, injected, mkfs.as_ref().map(|mkfs| &*mkfs.version));
        Ok(Self { spec, opened, injections, recipe, mkfs, cached: matches!(named, Named::By(_)), expected: None, tar })
    }

    /// What decides the image's bytes.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Whether the recipe names the source by its digest: then the same recipe makes the same image.
    pub fn is_by_digest(&self) -> bool {
        self.cached
    }

    /// The same, whatever is there; with a root hash, only the image that has it takes the place of what is there.
    pub fn anew(self, expected: Option<RootHash>) -> Self {
        Self { cached: false, expected, ..self }
    }

    /// The image, if it is there and would be made the same again.
    pub fn kept(&self, output: &Output) -> Result<Option<Manifest>> {
        self.kept_at(&place(output)?)
    }

    fn kept_at(&self, place: &Place) -> Result<Option<Manifest>> {
        if self.cached { place.published(&self.recipe) } else { Ok(None) }
    }

    /// Makes the image, unless it is there.
    pub fn run(&self, output: &Output, interruption: &Interruption, waiting: impl FnOnce()) -> Result<Outcome> {
        let place = place(output)?;
        if let Some(manifest) = self.kept_at(&place)? {
            place.tidy()?;
            return Ok(Outcome::Kept(manifest));
        }
        let locked = place.lock(waiting)?;
        *interruption.hold() = State::Begun(locked.traces()?);
        let outcome = match self.kept_at(locked.place())? {
            // Whoever had the lock has made it meanwhile.
            Some(manifest) => Ok(Outcome::Kept(manifest)),
            None => self.make(&locked, interruption),
        };
        let mut held = interruption.hold();
        drop(locked);
        // From here on the lock may be another's.
        *held = State::Done;
        outcome
    }

    fn make(&self, locked: &Locked, interruption: &Interruption) -> Result<Outcome> {
        let unpublished = locked.begin()?;
        let (size, tree, summary) = match &self.mkfs {
            Some(mkfs) => self.write_compressed(mkfs, locked, &unpublished)?,
            None => self.write(unpublished.image()?)?,
        };
        self.check_root(&tree.root)?;
        self.check_tar()?;
        self.check_programs(&unpublished, size)?;
        let manifest = Manifest {
            recipe: self.recipe.clone(),
            layers: self.layers(),
            tool: TOOL.into(),
            root_hash: tree.root.to_string(),
            sizes: Sizes { image: size, tree: tree.file.len() as u64 },
        };
        let mut finished = unpublished.finish(&tree, &manifest)?;
        if let Some((key, certificate)) = &self.spec.beside.signer {
            // Before anything has its name: an image that was signed must not lose its signature to a mistake.
            finished = finished.signed(&signature::sign(&tree.root, key, certificate)?)?;
        }
        finished.name_uninterrupted(interruption)?;
        Ok(Outcome::Made(manifest, summary))
    }

    fn check_root(&self, made: &RootHash) -> Result<()> {
        match &self.expected {
            Some(expected) if expected != made => {
                let said = format!("what was made again has the root hash {made}, not {expected} as before");
                Err(Fault::data(said).into())
            }
            _ => Ok(()),
        }
    }

    /// The image goes by the digest of a tar: it must have been that tar to the end.
    fn check_tar(&self) -> io::Result<()> {
        match &self.tar {
            Some((path, before)) if identity(path) != Some(*before) => {
                Err(bad(format!("{} was changed while it was read", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// What is to run in the image can: looked at in what was written.
    fn check_programs(&self, unpublished: &Unpublished<'_>, size: u64) -> Result<()> {
        let has_agent = self.spec.inject.iter().any(|file| file.target.as_bytes() == AGENT);
        if self.spec.boot == Boot::Left && !has_agent {
            return Ok(());
        }
        let limits = Limits { total_size: u64::MAX, ..self.spec.limits };
        let (image, names) = Reader::open(unpublished.image()?, size, limits).and_then(Image::new)?;
        let faults = match self.spec.boot {
            Boot::Made => boot::faults(&image, names),
            Boot::Left => boot::agent_faults(&image, names),
        }?;
        if faults.is_empty() { Ok(()) } else { Err(bad(faults.join("; ")).into()) }
    }

    fn layers(&self) -> Vec<String> {
        let image = self.opened.image.iter();
        image.flat_map(|image| &image.layers).map(|layer| layer.diff_id.to_string()).collect()
    }

    fn write(&self, file: File) -> Result<(u64, Built, Summary)> {
        let seed = seed(self.opened.seed, &self.recipe);
        let epoch = self.opened.epoch;
        match self.spec.form {
            Form::Erofs(equal) => {
                let writer = erofs::Writer::new(file, erofs::Options { seed, epoch, equal })?;
                let (finished, summary) = run(self.spec, self.opened, &self.injections, writer)?;
                Ok((finished.size, finished.tree, summary))
            }
            Form::Ext4(size, journal) => {
                let own = file.try_clone().context("keeping the image")?;
                let writer = ext4::Writer::new(own, ext4::Options { seed, size, journal, epoch })?;
                let (finished, summary) = run(self.spec, self.opened, &self.injections, writer)?;
                let tree = self.tree(&file, seed, finished.size).context("making the hash tree")?;
                Ok((finished.size, tree, summary))
            }
        }
    }

    /// Writes the image to a file that nobody will see, and has `mkfs.erofs` make the compressed one of it.
    fn write_compressed(
        &self,
        mkfs: &MkfsErofs,
        locked: &Locked,
        unpublished: &Unpublished<'_>,
    ) -> Result<(u64, Built, Summary)> {
        let Some(compression) = &self.spec.compression else { return self.write(unpublished.image()?) };
        let draft = Nameless::new(locked.place(), Part::Manifest)?;
        let (written, _, summary) = self.write(draft.file.try_clone().context("keeping the draft")?)?;
        let (seed, file) = (seed(self.opened.seed, &self.recipe), unpublished.image()?);
        let identity = (seed.uuid(Purpose::FileSystem), self.opened.epoch);
        let size = mkfs.compress(compression, identity, (&draft.file, written), &file)?;
        let tree = self.tree(&file, seed, size).context("making the hash tree")?;
        Ok((size, tree, summary))
    }

    /// The hash tree of what has been written.
    fn tree(&self, file: &File, seed: Seed, size: u64) -> Result<Built> {
        let threads = match self.spec.threads {
            Threads::One => 1,
            Threads::More => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let leaves = Leaves::read(seed.bytes(Purpose::Salt), file, size / BLOCK as u64, threads)?;
        Ok(leaves.build(seed.uuid(Purpose::HashTree))?)
    }
}

fn place(output: &Output) -> Result<Place> {
    Place::open(&output.directory, output.name.clone())
}

fn tar(spec: &Spec) -> Option<(PathBuf, FileIdentity)> {
    match &spec.source {
        Source::Tar(path) => identity(path).map(|before| (path.clone(), before)),
        _ => None,
    }
}

/// What the source is called in the manifest.
fn named(spec: &Spec, opened: &Opened) -> io::Result<Named> {
    match (&opened.image, &spec.source) {
        (Some(image), _) => Ok(Named::By(image.config.clone())),
        (None, Source::Tar(path)) => digest_of(path).map(Named::By),
        (None, Source::TarStdin) => Ok(Named::Unknown("standard input")),
        (None, Source::Overlay2(_) | Source::Snapshot(_)) => Ok(Named::Unknown("overlay layers")),
        (None, _) => Ok(Named::Unknown("directory")),
    }
}
