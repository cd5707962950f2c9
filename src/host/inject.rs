//! Files put into an image: everything opened once, decided, written under a new name, and published.
//! It decides nothing: what becomes of each thing is `inject`'s, what the bytes are the writers'.
//! An image with a hash tree beside it is checked in full first: what rot has changed must not get a new root hash.

use super::config_files;
use super::image_look::Look;
use super::interruption::{Interruption, State};
use super::notify::Progress;
use super::publish::{Locked, Place};
use super::stores::open_regular;
use crate::config::load_injections;
use crate::convert::recipe::seed;
use crate::convert::{Form, Output};
use crate::image::identity::{Purpose, Seed};
use crate::image::manifest::{Injected, Manifest, Recipe, Sizes};
use crate::image::read::Reader;
use crate::image::tree::{Directory, TreeWriter};
use crate::image::{erofs, ext4};
use crate::inject::boot;
use crate::inject::spec::Doing;
use crate::inject::{Bytes, Extent, Image, Injection, Plan, Spec, decide, recorded, write};
use crate::layer::fault::within;
use crate::layer::limits::Limits;
use crate::merge::Boot;
use crate::problem::Problem;
use crate::sysexits::Exit;
use crate::verity::Fault;
use crate::verity::build::{BLOCK, Built, Leaves};
use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The program's name and version, as manifests have it.
const TOOL: &str = concat!("veneer-inject ", env!("CARGO_PKG_VERSION"));
/// What the seeds of this version begin with; another rule gets another word.
const SEED: &str = "veneer inject 1\n";
/// Bytes read at once for a digest.
const BUFFER: usize = 256 << 10;

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The manifest has mistakes.
    Mistyped(Vec<Problem>),
    /// Some of it cannot be, so nothing was done.
    Refused(Plan),
    /// The steps of a dry run.
    Shown(Plan),
    /// The image is the output, and has everything already.
    Nothing(Plan),
    /// The output is there already, made of the same image and the same files.
    Kept(Manifest),
    /// An image was written.
    Made(Plan, Manifest),
}

/// An image that is there, and what is known of it.
struct Base {
    image: Image<File>,
    names: Directory,
    /// The digest of it.
    source: String,
    /// Its manifest, if it has one that is of this very image.
    manifest: Option<Manifest>,
}

/// Does what is asked for; `waiting` is called if another has the output's lock.
pub fn run(spec: &Spec, interruption: &Interruption, waiting: impl FnOnce()) -> Result<Outcome> {
    let agent = spec.agent.iter().cloned().map(Injection::agent);
    let mut asked: Vec<Injection<PathBuf>> = agent.collect::<io::Result<_>>()?;
    if let Some(manifest) = &spec.manifest {
        match load_injections(&config_files::read_file(manifest)) {
            Ok(more) => asked.extend(more),
            Err(problems) => return Ok(Outcome::Mistyped(problems)),
        }
    }
    let injections: Vec<_> = asked.into_iter().map(|one| one.try_map(opened)).collect::<Result<_>>()?;
    let output = match &spec.doing {
        Doing::Writing(output) => output,
        Doing::Showing => {
            let base = Base::open(&spec.image)?;
            let injections = base.with_boot(spec, injections)?;
            base.form(spec, &injections)?;
            return Ok(Outcome::Shown(decide(&base.image, base.names, &injections, spec.replacing)?));
        }
    };
    let locked = Place::open(&output.directory, output.name.clone())?.lock(waiting)?;
    *interruption.hold() = State::Begun(locked.traces()?);
    // Opened under the lock: it may be the output itself.
    let outcome = Base::open(&spec.image).and_then(|base| {
        let injections = base.with_boot(spec, injections)?;
        make(spec, base, &injections, output, &locked, interruption)
    });
    let mut held = interruption.hold();
    drop(locked);
    // From here on the lock may be another's.
    *held = State::Done;
    outcome
}

fn make(
    spec: &Spec,
    base: Base,
    injections: &[Injection<Bytes>],
    output: &Output,
    locked: &Locked,
    interruption: &Interruption,
) -> Result<Outcome> {
    let kind = base.image.reader.kind();
    let form = base.form(spec, injections)?;
    let recipe = recipe(&base, injections, form, spec.extent);
    if let Some(manifest) = locked.place().published(&recipe)? {
        return Ok(Outcome::Kept(manifest));
    }
    let is_same = is_same_file(&spec.image, output)?;
    if is_same && spec.extent == Extent::Layer {
        let sentence = format!("{output} is the image that the layer is for: give it another name");
        return Err(Fault { exit: Exit::Usage, sentence }.into());
    }
    let old = (spec.extent == Extent::Layer).then(|| base.names.clone());
    let mut plan = decide(&base.image, base.names, injections, spec.replacing)?;
    if !plan.refusals().is_empty() {
        return Ok(Outcome::Refused(plan));
    }
    if plan.is_nothing() && (old.is_some() || (is_same && kind.name() == form.name())) {
        return Ok(Outcome::Nothing(plan));
    }
    if let Some(old) = old {
        plan = plan.only_new(&old);
    }
    let unpublished = locked.begin()?;
    let new = New { image: &base.image, injections, form, seed: seed(seed_of(&recipe.source), &recipe) };
    let (size, tree) = new.write(plan.clone(), unpublished.image()?)?;
    let manifest = Manifest {
        recipe,
        layers: base.manifest.map(|manifest| manifest.layers).unwrap_or_default(),
        tool: TOOL.into(),
        root_hash: tree.root.to_string(),
        sizes: Sizes { image: size, tree: tree.file.len() as u64 },
    };
    unpublished.finish(&tree, &manifest)?.name_uninterrupted(interruption)?;
    Ok(Outcome::Made(plan, manifest))
}

fn seed_of(source: &str) -> Seed {
    Seed(Sha256::new_with_prefix(SEED).chain_update(source).finalize().into())
}

fn opened(path: PathBuf) -> Result<Bytes> {
    let (file, size) = open_regular(&path)?;
    let shown = path.display().to_string();
    Bytes::new(shown, size, Box::new(file)).with_context(|| format!("reading {}", path.display()))
}

/// Whether the output is the image itself.
fn is_same_file(image: &Path, output: &Output) -> Result<bool> {
    let about = |path: &Path| format!("looking at {}", path.display());
    let there = PathBuf::from(format!("{output}.raw"));
    match std::fs::canonicalize(&there) {
        Ok(there) => Ok(there == std::fs::canonicalize(image).with_context(|| about(image))?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| about(&there)),
    }
}

impl Base {
    fn open(path: &Path) -> Result<Self> {
        let (mut file, mut size) = open_regular(path)?;
        let about = |error: io::Error| within(path.display(), &error);
        let look = Look::at(path)?.filter(|look| look.tree.is_some() && look.root.is_some());
        let (source, manifest) = match look {
            Some(look) => {
                // The very file that is checked.
                file = look.image.file.try_clone().map_err(about)?;
                let manifest = look.manifest.clone();
                let (root, sb) = look.verify()?;
                size = sb.data_blocks.saturating_mul(u64::from(sb.data_block));
                (format!("verity:{root}"), manifest)
            }
            None => (format!("sha256:{}", digest(&file, size, path).map_err(about)?), None),
        };
        let (image, names) = Reader::open(file, size, Limits::default()).and_then(Image::new).map_err(about)?;
        Ok(Self { image, names, source, manifest })
    }

    /// As what the new image is written.
    fn form(&self, spec: &Spec, injections: &[Injection<Bytes>]) -> Result<Form, Fault> {
        let wrong = |said| Fault { exit: Exit::Usage, sentence: format!("{}: {said}", spec.image.display()) };
        spec.wanted.form(self.image.reader.kind(), injections).map_err(wrong)
    }

    /// What is put in, with what a virtual machine needs to start, if one is to.
    fn with_boot(&self, spec: &Spec, mut injections: Vec<Injection<Bytes>>) -> Result<Vec<Injection<Bytes>>> {
        if spec.boot == Boot::Made {
            let more = boot::wanted(&self.image, &self.names, &injections);
            injections.extend(more.map_err(|error| within(spec.image.display(), &error))?);
        }
        Ok(injections)
    }
}

fn digest(file: &File, size: u64, path: &Path) -> io::Result<String> {
    let mut progress = Progress::begin(format!("reading {}", path.display()), size);
    let (mut digest, mut buffer, mut at) = (Sha256::new(), vec![0; BUFFER], 0);
    while at < size {
        let count = usize::try_from(size - at).map_or(BUFFER, |left| left.min(BUFFER));
        file.read_exact_at(&mut buffer[..count], at)?;
        digest.update(&buffer[..count]);
        at += count as u64;
        progress.reached(at);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What decides the new image's bytes.
fn recipe(base: &Base, injections: &[Injection<Bytes>], form: Form, extent: Extent) -> Recipe {
    let new = recorded(injections);
    let mut options: BTreeMap<_, _> = form.options().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    // A layer has nothing of what was put in before.
    let before =
        base.manifest.iter().filter(|_| extent == Extent::Whole).flat_map(|manifest| &manifest.recipe.injected);
    if extent == Extent::Layer {
        options.insert("layer".into(), "yes".into());
    }
    let mut injected: Vec<Injected> =
        before.filter(|old| new.iter().all(|new| new.target != old.target)).cloned().collect();
    injected.extend(new);
    Recipe {
        source: base.source.clone(),
        format: form.name().to_owned(),
        layout_version: form.layout_version(),
        options,
        injected,
    }
}

/// A new image.
struct New<'a> {
    image: &'a Image<File>,
    injections: &'a [Injection<Bytes>],
    form: Form,
    seed: Seed,
}

impl New<'_> {
    /// Its size and its hash tree.
    fn write(&self, plan: Plan, file: File) -> Result<(u64, Built)> {
        let (seed, epoch) = (self.seed, self.image.reader.epoch()?);
        match self.form {
            Form::Erofs(equal) => {
                let done = self.all(plan, erofs::Writer::new(file, erofs::Options { seed, epoch, equal })?)?;
                Ok((done.size, done.tree))
            }
            Form::Ext4(size, journal) => {
                let options = ext4::Options { seed, size, journal, epoch };
                let done = self.all(plan, ext4::Writer::new(file.try_clone()?, options)?)?;
                let threads = std::thread::available_parallelism().map_or(1, usize::from);
                let leaves = Leaves::read(seed.bytes(Purpose::Salt), &file, done.size / BLOCK as u64, threads)?;
                Ok((done.size, leaves.build(seed.uuid(Purpose::HashTree))?))
            }
        }
    }

    fn all<W: TreeWriter>(&self, plan: Plan, writer: W) -> Result<W::Finished> {
        let mut progress = None;
        let mut tell = |done, total| {
            progress.get_or_insert_with(|| Progress::begin("writing the image".into(), total)).reached(done);
        };
        write(self.image, plan, self.injections, writer, &mut tell).context("writing the image")
    }
}
