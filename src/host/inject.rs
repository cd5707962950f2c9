//! Files put into an image: everything opened once, decided, written under a new name, and published.
//! It decides nothing: what becomes of each thing is `inject`'s, what the bytes are the writers'.
//! An image with a hash tree beside it is checked in full first: what rot has changed must not get a new root hash.

use super::config_files;
use super::notify::Progress;
use super::publish::Place;
use super::stores::open_regular;
use crate::config::load_injections;
use crate::convert::spec::Format;
use crate::image::erofs::read::Reader;
use crate::image::identity::{Purpose, Seed};
use crate::image::manifest::{Injected, Manifest, Recipe, Sizes};
use crate::image::{erofs, ext4};
use crate::inject::spec::{Doing, Output};
use crate::inject::{Bytes, Image, Injection, Plan, Spec, decide, recorded, write};
use crate::layer::limits::Limits;
use crate::problem::Problem;
use crate::root_hash::RootHash;
use crate::verity::Superblock;
use crate::verity::build::{BLOCK, Built, Leaves};
use crate::verity::names::SideNames;
use crate::verity::superblock::SUPERBLOCK_SIZE;
use crate::verity::tree::{Tree, check_all};
use anyhow::{Context, Result, anyhow};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Where ext4 says what it is: `s_magic` of its superblock.
const EXT4_MAGIC_AT: u64 = 1024 + 56;
const EXT4_MAGIC: [u8; 2] = [0x53, 0xef];
/// Bytes read at once for a digest.
const BUFFER: usize = 256 << 10;
/// Texts beside an image are short.
const TEXT_MAX: u64 = 1 << 20;

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The manifest has mistakes.
    Mistyped(Vec<Problem>),
    /// Some of it cannot be, so nothing was done.
    Refused(Plan),
    /// The steps of a dry run.
    Shown(Plan),
    /// The image has everything already, or the output was made of the same before.
    Nothing(Plan),
    /// The output is there already, made of the same image and the same files.
    AlreadyMade,
    /// An image was written.
    Written(Plan),
}

/// An image that is there, and what is known of it.
struct Base {
    image: Image<File>,
    names: crate::image::tree::Directory,
    /// The digest of it.
    source: String,
    /// Its manifest, if it has one that is of this very image.
    manifest: Option<Manifest>,
}

/// Does what is asked for; `waiting` is called if another has the output's lock.
pub fn run(spec: &Spec, waiting: impl FnOnce()) -> Result<Outcome> {
    let mut asked: Vec<Injection<PathBuf>> =
        spec.agent.iter().cloned().map(Injection::agent).collect::<Result<_, _>>()?;
    if let Some(manifest) = &spec.manifest {
        match load_injections(&config_files::read_file(manifest)) {
            Ok(more) => asked.extend(more),
            Err(problems) => return Ok(Outcome::Mistyped(problems)),
        }
    }
    let injections: Vec<_> = asked.into_iter().map(|one| one.try_map(opened)).collect::<Result<_>>()?;
    let base = Base::open(&spec.image)?;
    let recipe = recipe(&base, &injections, spec.format);
    let Doing::Writing(output) = &spec.doing else {
        return Ok(Outcome::Shown(decide(&base.image, base.names, &injections, spec.replacing)?));
    };
    let locked = Place::open(&output.directory, output.name.clone())?.lock(waiting)?;
    if locked.place().published(&recipe)?.is_some() {
        return Ok(Outcome::AlreadyMade);
    }
    let Base { image, names, manifest, .. } = base;
    let plan = decide(&image, names, &injections, spec.replacing)?;
    if !plan.refusals().is_empty() {
        return Ok(Outcome::Refused(plan));
    }
    if plan.is_nothing() && is_same_file(&spec.image, output)? {
        return Ok(Outcome::Nothing(plan));
    }
    let unpublished = locked.begin()?;
    let new = New { image: &image, injections: &injections, format: spec.format, recipe, layers: layers(manifest) };
    let (built, manifest) = new.write(plan.clone(), unpublished.image()?)?;
    unpublished.publish(&built, &manifest)?;
    Ok(Outcome::Written(plan))
}

fn layers(manifest: Option<Manifest>) -> Vec<String> {
    manifest.map(|manifest| manifest.layers).unwrap_or_default()
}

fn opened(path: PathBuf) -> Result<Bytes> {
    let (file, size) = open_regular(&path)?;
    let shown = path.display().to_string();
    Bytes::new(shown, size, Box::new(file)).with_context(|| format!("reading {}", path.display()))
}

/// Whether the output is the image itself.
fn is_same_file(image: &Path, output: &Output) -> Result<bool> {
    let of = |path: &Path| std::fs::canonicalize(path).with_context(|| format!("looking at {}", path.display()));
    match of(&output.image()) {
        Ok(there) => Ok(there == of(image)?),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

impl Base {
    fn open(path: &Path) -> Result<Self> {
        let about = || path.display().to_string();
        let (file, size) = open_regular(path)?;
        refuse_ext4(&file).with_context(about)?;
        let beside = Beside::find(path)?;
        let (source, size, manifest) = match beside {
            Some(beside) => {
                let size = beside.check(&file, size).with_context(about)?;
                (format!("verity:{}", beside.root.as_str()), size, beside.manifest())
            }
            None => (format!("sha256:{}", digest(&file, size).with_context(about)?), size, None),
        };
        let (image, names) = Reader::open(file, size, Limits::default()).and_then(Image::new).with_context(about)?;
        Ok(Self { image, names, source, manifest })
    }
}

fn refuse_ext4(file: &File) -> Result<()> {
    let mut magic = [0; 2];
    match file.read_exact_at(&mut magic, EXT4_MAGIC_AT) {
        Ok(()) if magic == EXT4_MAGIC => Err(std::io::Error::new(
            ErrorKind::Unsupported,
            "it is an ext4 image, and only EROFS images are read: convert its source again with --inject",
        )
        .into()),
        // What is too small is no image of any kind, and is said to be none where it is read.
        Ok(()) | Err(_) => Ok(()),
    }
}

fn digest(file: &File, size: u64) -> Result<String> {
    let (mut digest, mut buffer, mut at) = (Sha256::new(), vec![0; BUFFER], 0);
    while at < size {
        let count = usize::try_from(size - at).map_or(BUFFER, |left| left.min(BUFFER));
        file.read_exact_at(&mut buffer[..count], at)?;
        digest.update(&buffer[..count]);
        at += count as u64;
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The files beside an image that say what it must be.
struct Beside {
    tree: File,
    root: RootHash,
    manifest: Option<String>,
}

impl Beside {
    /// Both a hash tree and a root hash, or none of this counts.
    fn find(image: &Path) -> Result<Option<Self>> {
        let name = image.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let side = SideNames::of(&name);
        let beside = |name: &str| open_beside(&image.with_file_name(name));
        let tree = match beside(&side.tree[0])? {
            Some(tree) => Some(tree),
            None => beside(&side.tree[1])?,
        };
        let (Some(tree), Some(root)) = (tree, beside(&side.root_hash)?) else { return Ok(None) };
        let root = RootHash::parse(text(root)?.trim_end())
            .map_err(|said| anyhow!("{}: {said}", image.with_file_name(&side.root_hash).display()))?;
        let manifest = side.root_hash.strip_suffix("roothash").map(|stem| format!("{stem}manifest.json"));
        let manifest = manifest.map(|name| beside(&name)).transpose()?.flatten().map(text).transpose()?;
        Ok(Some(Self { tree, root, manifest }))
    }

    /// Checks all of the image; how many bytes of it that covers.
    fn check(&self, image: &File, size: u64) -> Result<u64> {
        let mut head = [0; SUPERBLOCK_SIZE];
        self.tree.read_exact_at(&mut head, 0).context("reading its hash tree")?;
        let sb = Superblock::parse(&head).map_err(anyhow::Error::msg).context("reading its hash tree")?;
        let root = self.root.to_bytes();
        let bad = |fault| {
            let said = format!("it is not what its root hash says ({fault:?}), and nothing is made of it");
            std::io::Error::new(ErrorKind::InvalidData, said)
        };
        let open = Tree::open(&self.tree, &sb, &root).map_err(bad)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut progress = Progress::begin("checking the image".into(), open.leaves());
        check_all(&open, image, threads, |done| progress.reached(done)).map_err(bad)?;
        Ok(size.min(sb.data_blocks.saturating_mul(u64::from(sb.data_block))))
    }

    fn manifest(&self) -> Option<Manifest> {
        // Whatever is no manifest of ours, or of another image, says nothing.
        let manifest: Manifest = serde_json::from_str(self.manifest.as_deref()?).ok()?;
        (manifest.root_hash == self.root.as_str()).then_some(manifest)
    }
}

fn open_beside(path: &Path) -> Result<Option<File>> {
    match open_regular(path) {
        Ok((file, _)) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn text(file: File) -> Result<String> {
    let mut text = String::new();
    file.take(TEXT_MAX).read_to_string(&mut text).context("reading what is beside the image")?;
    Ok(text)
}

/// What decides the new image's bytes.
fn recipe(base: &Base, injections: &[Injection<Bytes>], format: Format) -> Recipe {
    let new = recorded(injections);
    let before = base.manifest.iter().flat_map(|manifest| &manifest.recipe.injected);
    let mut injected: Vec<Injected> =
        before.filter(|old| new.iter().all(|new| new.target != old.target)).cloned().collect();
    injected.extend(new);
    let layout_version = match format {
        Format::Erofs => erofs::LAYOUT_VERSION,
        Format::Ext4 => ext4::LAYOUT_VERSION,
    };
    let (source, format, options) = (base.source.clone(), format.name().to_owned(), BTreeMap::new());
    Recipe { source, format, layout_version, options, injected }
}

/// A new image.
struct New<'a> {
    image: &'a Image<File>,
    injections: &'a [Injection<Bytes>],
    format: Format,
    recipe: Recipe,
    layers: Vec<String>,
}

impl New<'_> {
    fn write(self, plan: Plan, file: File) -> Result<(Built, Manifest)> {
        let epoch = self.image.reader.epoch();
        let seed = Sha256::new_with_prefix("veneer inject 1\n").chain_update(serde_json::to_vec(&self.recipe)?);
        let seed = Seed(seed.finalize().into());
        let (size, tree) = match self.format {
            Format::Erofs => {
                let options = erofs::Options { seed, epoch, equal: erofs::EqualFiles::Apart };
                let done = self.all(plan, erofs::Writer::new(file, options)?)?;
                (done.size, done.tree)
            }
            Format::Ext4 => {
                let (size, journal) = (ext4::Size::Exact, ext4::Journal::None);
                let options = ext4::Options { seed, size, journal, epoch };
                let done = self.all(plan, ext4::Writer::new(file.try_clone()?, options)?)?;
                let threads = std::thread::available_parallelism().map_or(1, usize::from);
                let blocks = done.size / BLOCK as u64;
                let leaves = Leaves::read(seed.bytes(Purpose::Salt), &file, blocks, threads)?;
                (done.size, leaves.build(seed.uuid(Purpose::HashTree))?)
            }
        };
        let manifest = Manifest {
            recipe: self.recipe,
            layers: self.layers,
            tool: concat!("veneer ", env!("CARGO_PKG_VERSION")).into(),
            root_hash: tree.root.to_string(),
            sizes: Sizes { image: size, tree: tree.file.len() as u64 },
        };
        Ok((tree, manifest))
    }

    fn all<W: crate::image::tree::TreeWriter>(&self, plan: Plan, writer: W) -> Result<W::Finished> {
        let mut progress = None;
        let mut tell = |done, total| {
            progress.get_or_insert_with(|| Progress::begin("writing the image".into(), total)).reached(done);
        };
        write(self.image, plan, self.injections, writer, &mut tell).context("writing the image")
    }
}
