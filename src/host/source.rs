//! A source opened: its layers, ready for the merge, and what is known of it before they are read.
//! It decides nothing: which image is meant is `oci::choose`'s, what a name means `oci::source`'s.
//! Everything that can be said before a layer is read is said here: what is missing, not an image, or for another machine.

use super::directory_layer::{DirectoryLayer, Signs, is_directory};
use super::process_status;
use super::stores::{LayoutArchive, LayoutDirectory, open_regular};
use crate::image::identity::Seed;
use crate::image::tree::Time;
use crate::layer::digest::{Digest, Hasher};
use crate::layer::entry::{Again, Layer};
use crate::layer::fault::{bad, within};
use crate::layer::stream::Meter;
use crate::oci::bolt::Database;
use crate::oci::choose::Wanted;
use crate::oci::containerd::{ImageName, METADATA, find};
use crate::oci::document::Platform;
use crate::oci::identity::{seed_of_anything, seed_of_image};
use crate::oci::image::{self, First, Image};
use crate::oci::layer::{ImageLayer, Reading, TarLayer};
use crate::oci::overlay2;
use crate::oci::source::{Named, Source};
use crate::oci::store::{Store, StoredFile, find_document};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A source whose layers can be read.
pub struct Opened {
    /// The layers, the topmost first.
    pub layers: Vec<Box<dyn Layer>>,
    /// What UUID and salt are made of.
    pub seed: Seed,
    /// When it was made, as far as all its forms say the same: 1970 if they say nothing.
    pub epoch: Time,
    /// The image, if it is one: its digests name it in a cache.
    pub image: Option<Image>,
    /// Bytes that will be read, if that is known.
    pub bytes: Option<u64>,
    /// Bytes that have been read.
    pub meter: Meter,
}

/// Opens a source.
pub fn open(source: &Source, platform: &Platform, reading: &Reading) -> io::Result<Opened> {
    let opened = match source {
        Source::Oci(named) => layout(named, platform, reading),
        Source::OciArchive(named) => archive(named, First::Index, platform, reading),
        Source::DockerArchive(named) => archive(named, First::Docker, platform, reading),
        Source::Overlay2(path) => overlay(docker_chain(path)?, reading),
        Source::Containerd { root, digest } => containerd(root, digest, platform, reading),
        Source::ContainerdName { root, name } => {
            named_in_containerd(root, name).and_then(|digest| containerd(root, &digest, platform, reading))
        }
        Source::Blobs { root, digest } => by_digest(root.clone(), digest, platform, reading),
        Source::Snapshot(paths) => overlay(paths.clone(), reading),
        Source::Tar(path) => tar(path, reading),
        Source::TarStdin => Ok(stdin(reading)),
        Source::Directory(path) => Ok(directories(vec![path.clone()], Signs::Nothing, reading)),
    };
    opened.and_then(checked).map_err(|error| within(source, &error))
}

fn checked(opened: Opened) -> io::Result<Opened> {
    match opened.layers.is_empty() {
        true => Err(bad("the image has no layers")),
        false => Ok(opened),
    }
}

fn layout(named: &Named, platform: &Platform, reading: &Reading) -> io::Result<Opened> {
    if !is_directory(&named.path) {
        return Err(io::Error::new(ErrorKind::NotFound, "there is no such directory"));
    }
    let store = Rc::new(LayoutDirectory(named.path.clone()));
    let wanted = Wanted { name: named.name.as_deref(), platform: platform.clone() };
    let image = image::find(&*store, First::Index, &wanted)?;
    of_image(store, image, reading)
}

fn archive(named: &Named, first: First, platform: &Platform, reading: &Reading) -> io::Result<Opened> {
    let store = Rc::new(LayoutArchive::open(&named.path)?);
    let wanted = Wanted { name: named.name.as_deref(), platform: platform.clone() };
    let image = image::find(&*store, first, &wanted)?;
    of_image(store, image, reading)
}

/// containerd keeps blobs as a layout does.
fn containerd(root: &Path, digest: &Digest, platform: &Platform, reading: &Reading) -> io::Result<Opened> {
    by_digest(root.join("io.containerd.content.v1.content"), digest, platform, reading)
}

/// An image by its digest, of a directory that keeps blobs as a layout does.
fn by_digest(layout: PathBuf, digest: &Digest, platform: &Platform, reading: &Reading) -> io::Result<Opened> {
    let store = Rc::new(LayoutDirectory(layout));
    let image = image::by_digest(&*store, digest, &Wanted { name: None, platform: platform.clone() })?;
    of_image(store, image, reading)
}

/// containerd may write meanwhile: then its database is read again.
fn named_in_containerd(root: &Path, name: &ImageName) -> io::Result<Digest> {
    const TRIES: usize = 10;
    let path = root.join(METADATA);
    let about = |error: io::Error| within(path.display(), &error);
    for _ in 0..TRIES {
        let (file, size) = open_regular(&path).map_err(about)?;
        let database = Database::open(file, size).map_err(about)?;
        let found = find(&database, name);
        if database.unchanged().map_err(about)? {
            return found;
        }
    }
    Err(about(io::Error::other("it changes all the time")))
}

fn of_image(store: Rc<dyn Store>, image: Image, reading: &Reading) -> io::Result<Opened> {
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    let mut bytes = 0;
    for blob in image.layers.iter().rev() {
        let missing = || io::Error::new(ErrorKind::NotFound, format!("the layer {} is not there", blob.file));
        bytes += store.open(&blob.file)?.ok_or_else(missing)?.size;
        let store = Rc::clone(&store);
        layers.push(Box::new(ImageLayer { store, blob: blob.clone(), reading: reading.clone() }));
    }
    let (seed, epoch, meter) = (seed_of_image(&image), image.epoch, reading.meter.clone());
    Ok(Opened { layers, seed, epoch, image: Some(image), bytes: Some(bytes), meter })
}

fn tar(path: &Path, reading: &Reading) -> io::Result<Opened> {
    let (_, size) = open_regular(path)?;
    let path = path.to_owned();
    let file = move || open_regular(&path).map(|(file, size)| StoredFile { reader: Box::new(file), size });
    let layer = TarLayer { name: "the archive".into(), file, again: Again::Possible, reading: reading.clone() };
    Ok(one(Box::new(layer), Some(size), reading))
}

fn stdin(reading: &Reading) -> Opened {
    let file = || Ok(StoredFile { reader: Box::new(io::stdin()), size: 0 });
    let layer = TarLayer { name: "standard input".into(), file, again: Again::Impossible, reading: reading.clone() };
    one(Box::new(layer), None, reading)
}

fn one(layer: Box<dyn Layer>, bytes: Option<u64>, reading: &Reading) -> Opened {
    no_image(vec![layer], bytes, reading)
}

fn directories(paths: Vec<PathBuf>, signs: Signs, reading: &Reading) -> Opened {
    let layer = |path| Box::new(DirectoryLayer { path, signs }) as Box<dyn Layer>;
    no_image(paths.into_iter().map(layer).collect(), None, reading)
}

/// `CAP_SYS_ADMIN` (linux/capability.h).
const SYS_ADMIN: u64 = 1 << 21;

/// Without that capability the kernel hides `trusted.*` (xattr(7)), so that what a layer deletes would be there again.
/// Whoever mounts overlays without privileges has `user.*` for it, and owns the directories.
fn overlay(paths: Vec<PathBuf>, reading: &Reading) -> io::Result<Opened> {
    let sees_all = process_status::bits("CapEff").is_some_and(|bits| bits & SYS_ADMIN != 0);
    let own = rustix::process::geteuid().as_raw();
    for path in &paths {
        let owner = fs::metadata(path).map_err(|error| within(path.display(), &error))?.uid();
        if !sees_all && (owner != own || own == 0) {
            let said = format!("{}: only with CAP_SYS_ADMIN can be seen what it deletes of others", path.display());
            return Err(io::Error::new(ErrorKind::PermissionDenied, said));
        }
    }
    Ok(directories(paths, Signs::Overlay, reading))
}

fn no_image(layers: Vec<Box<dyn Layer>>, bytes: Option<u64>, reading: &Reading) -> Opened {
    let (seed, epoch) = (seed_of_anything(), Time::default());
    Opened { layers, seed, epoch, image: None, bytes, meter: reading.meter.clone() }
}

/// The bytes of an image's configuration; none of what is no image.
pub fn config(source: &Source, platform: &Platform) -> io::Result<Option<Vec<u8>>> {
    let layout = |path: &Path| Rc::new(LayoutDirectory(path.to_owned())) as Rc<dyn Store>;
    let (store, first, name): (Rc<dyn Store>, First, Option<String>) = match source {
        Source::Oci(named) => (layout(&named.path), First::Index, named.name.clone()),
        Source::OciArchive(named) => (Rc::new(LayoutArchive::open(&named.path)?), First::Index, named.name.clone()),
        Source::DockerArchive(named) => (Rc::new(LayoutArchive::open(&named.path)?), First::Docker, named.name.clone()),
        Source::Blobs { root, digest } => return config_of(&*layout(root), digest, platform),
        Source::Containerd { root, digest } => {
            return config_of(&*layout(&root.join("io.containerd.content.v1.content")), digest, platform);
        }
        _ => return Ok(None),
    };
    let wanted = Wanted { name: name.as_deref(), platform: platform.clone() };
    let image = image::find(&*store, first, &wanted)?;
    find_document(&*store, &image.config_file)
}

fn config_of(store: &dyn Store, digest: &Digest, platform: &Platform) -> io::Result<Option<Vec<u8>>> {
    let image = image::by_digest(store, digest, &Wanted { name: None, platform: platform.clone() })?;
    find_document(store, &image.config_file)
}

/// The directories of a layer and of those below it, the topmost first.
fn docker_chain(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut chain = vec![top.join("diff")];
    let lower = top.join("lower");
    let text = match fs::read_to_string(&lower) {
        Ok(text) => text,
        // The lowest layer has none.
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(within(lower.display(), &error)),
    };
    let about = |said: String| bad(format!("{}: {said}", lower.display()));
    let all = top.parent().unwrap_or(Path::new("."));
    for short in overlay2::lower(&text).map_err(about)? {
        let link = all.join("l").join(&short);
        let target = fs::read_link(&link).map_err(|error| within(link.display(), &error))?;
        let name = target.to_str().and_then(overlay2::linked);
        let name = name.ok_or_else(|| bad(format!("{}: it leads to {}", link.display(), target.display())))?;
        chain.push(all.join(name).join("diff"));
    }
    match chain.iter().find(|path| !is_directory(path)) {
        Some(missing) => Err(io::Error::new(ErrorKind::NotFound, format!("{} is no directory", missing.display()))),
        None => Ok(chain),
    }
}

/// The digest of a file as it is, which names a tar in a cache.
pub fn digest_of(path: &Path) -> io::Result<Digest> {
    let (mut file, _) = open_regular(path)?;
    let (mut hasher, mut buffer) = (Hasher::new("sha256"), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}
