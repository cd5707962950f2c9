//! The images of apps made and switched: a source becomes an image of the store, the image a version of its app.
//! It decides nothing: `version::decide` does; the bytes are made by `conversion`.
//! What is written, and in which order, is docs/pull.md's: the history first, `current` last, each by a rename.

use super::conversion::{Conversion, Outcome};
use super::interruption::Interruption;
use super::store::notes::{record, small, write_record};
use super::store::{StoreDir, StoreLock};
use super::{below_root, clock, convert, injected, source};
use crate::convert::recipe::{Named, recipe};
use crate::convert::{Arguments as ConvertArguments, Output, Spec};
use crate::image::manifest::Recipe;
use crate::image::publish::{ImageName, Part};
use crate::layer::digest::Digest;
use crate::layout::{HISTORIES, IMAGES, STORE, VERSIONS};
use crate::name::AppId;
use crate::oci::document::Platform;
use crate::oci::source::Source;
use crate::origin::Origin;
use crate::store::versions::{self, CURRENT, Version, Versions};
use crate::store::{Record, name};
use crate::verity::Fault;
use crate::version::decide::{before, current};
use crate::version::{Decision, Goal, History, Make, Start, decide};
use anyhow::{Context, Result};
use clap::Parser as _;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What was made, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The image's name in the store.
    pub image: ImageName,
    /// Whether it was there already.
    pub kept: bool,
    /// What became of the app's versions; nothing if it was for none.
    pub decision: Option<Decision>,
    /// What is to be known besides.
    pub remarks: Vec<String>,
}

/// Makes an image, and has its app use it.
pub fn make(store: &StoreDir, make: &Make, interruption: &Interruption) -> Result<Made> {
    let maker = Maker { store, make, reference: make.origin.to_string(), interruption };
    // Until the image is referred to, no prune may take it.
    let _held = StoreLock::share(store)?;
    let mut remarks = Vec::new();
    let (image, kept) = maker.image(&mut remarks)?;
    let decision = match make.goal() {
        Goal::Store => None,
        Goal::App(app, keep) => Some(App::open(store, app)?.take(&maker.reference, &image, make.start(), keep)?),
    };
    Ok(Made { image, kept, decision, remarks })
}

/// What would be done, a line each.
pub fn steps(store: &StoreDir, make: &Make) -> Result<Vec<String>> {
    let reference = make.origin.to_string();
    let known = record(store, &reference)?;
    let mut steps = vec![match known.as_ref().and_then(|known| known.image.as_ref()) {
        Some(image) => format!("use the image {image}, unless {reference} is another now"),
        None => format!("make an image of {reference} in {IMAGES}"),
    }];
    if let Goal::App(app, keep) = make.goal() {
        steps.push(format!("have {VERSIONS}/{app}/current lead to it, and keep {keep} versions"));
    }
    Ok(steps)
}

struct Maker<'a> {
    store: &'a StoreDir,
    make: &'a Make,
    reference: String,
    interruption: &'a Interruption,
}

impl Maker<'_> {
    /// The image's name, and whether it was there.
    fn image(&self, remarks: &mut Vec<String>) -> Result<(ImageName, bool)> {
        let known = record(self.store, &self.reference)?;
        match &self.make.origin {
            Origin::Local(_) => self.local(known, remarks),
            _ => {
                let missing = || Fault::no_input(format!("{} has not been pulled", self.reference));
                self.pulled(known.ok_or_else(missing)?)
            }
        }
    }

    /// Of what was pulled: an image that is there needs no blob.
    fn pulled(&self, known: Record) -> Result<(ImageName, bool)> {
        let source = format!("store:{}@{}", self.store.at(STORE).display(), known.manifest);
        let spec = self.spec(&source)?;
        if let Some(config) = known.blobs.get(1) {
            let name = self.name(&spec, &Named::By(config.clone()))?;
            if self.is_there(&name) {
                self.note(known, &name)?;
                return Ok((name, true));
            }
        }
        let (name, kept) = self.convert(&spec, known.when)?;
        self.note(known, &name)?;
        Ok((name, kept))
    }

    fn local(&self, known: Option<Record>, remarks: &mut Vec<String>) -> Result<(ImageName, bool)> {
        let source = self.reference.clone();
        let spec = self.spec(&source)?;
        let made = known.as_ref().and_then(|known| known.image.clone()).filter(|image| self.is_there(image));
        let by_digest = known.as_ref().is_some_and(|known| !known.blobs.is_empty());
        if let (Some(image), false, Start::Now) = (&made, by_digest, self.make.start()) {
            // It has no digest to tell whether it is another now: once is enough, until an update.
            return Ok((image.clone(), true));
        }
        let opened = match convert::open(&spec) {
            Ok(opened) => opened,
            Err(error) if error.kind() == ErrorKind::NotFound && self.make.start() == Start::Now => {
                let known = known.filter(|_| made.is_some()).ok_or(error)?;
                remarks.push(format!("{source} is not there any more: what was made of it is used"));
                return self.again(&spec, &known);
            }
            Err(error) => return Err(error.into()),
        };
        let config = opened.image.as_ref().map(|image| (image.manifest.clone(), image.config.clone()));
        let (name, kept) = self.convert_opened(&spec, &opened, clock::now())?;
        let manifest = config.as_ref().map_or_else(
            || Digest::of(name.as_str().as_bytes()),
            |(manifest, config)| manifest.clone().unwrap_or_else(|| config.clone()),
        );
        let blobs = config.map(|(_, config)| vec![manifest.clone(), config]).unwrap_or_default();
        let (reference, when) = (source, clock::now());
        let labels = BTreeMap::new();
        self.note(Record { reference, manifest, image: None, when, labels, blobs }, &name)?;
        Ok((name, kept))
    }

    /// What was made of a source that is gone, with what is injected now.
    fn again(&self, spec: &Spec, known: &Record) -> Result<(ImageName, bool)> {
        let Some(config) = known.blobs.get(1) else {
            return Ok((known.image.clone().context("the record names no image")?, true));
        };
        let name = self.name(spec, &Named::By(config.clone()))?;
        match self.is_there(&name) {
            true => Ok((name, true)),
            false => Err(Fault::no_input(format!(
                "{} is not there any more, and what is put into the image has changed",
                self.reference
            ))
            .into()),
        }
    }

    /// The conversion as `veneer-convert` would be told to do it.
    fn spec(&self, source: &str) -> Result<Spec> {
        let mut words = vec!["veneer-convert".to_owned(), source.to_owned()];
        words.push(format!("--output={}", self.store.at(IMAGES).join("made").display()));
        let platform = self.make.platform.clone().unwrap_or_else(Platform::of_this_machine);
        words.push(format!("--platform={platform}"));
        words.extend(self.make.inject.iter().map(|inject| format!("--inject={inject}")));
        let typed = ConvertArguments::try_parse_from(words);
        let spec = typed.and_then(Spec::try_from).map_err(|error| {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Fault { exit: crate::sysexits::Exit::Usage, sentence: first }
        })?;
        Ok(spec)
    }

    fn name(&self, spec: &Spec, named: &Named) -> Result<ImageName> {
        let (_, injected) = injected::open(&spec.inject)?;
        Ok(name::by_content(&recipe(spec, named, injected, None))?)
    }

    fn is_there(&self, name: &ImageName) -> bool {
        let images = self.store.at(IMAGES);
        [Part::Raw, Part::Tree, Part::RootHash].iter().all(|part| images.join(name.of(*part)).exists())
    }

    fn convert(&self, spec: &Spec, nonce: u64) -> Result<(ImageName, bool)> {
        let opened = convert::open(spec).map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow::Error::from(Fault::no_input(format!(
                "the layers of {} are not in the store any more: veneer image pull --always {}",
                self.reference, self.reference
            ))),
            _ => error.into(),
        })?;
        self.convert_opened(spec, &opened, nonce)
    }

    fn convert_opened(&self, spec: &Spec, opened: &super::source::Opened, nonce: u64) -> Result<(ImageName, bool)> {
        let conversion = Conversion::new(spec, opened)?;
        let name = match conversion.is_by_digest() {
            true => name::by_content(conversion.recipe())?,
            // Nothing says what is in it before it is read: a name that nothing else has.
            false => {
                let source = format!("{} {} {nonce}", conversion.recipe().source, self.reference);
                name::by_content(&Recipe { source, ..conversion.recipe().clone() })?
            }
        };
        self.store.make(IMAGES)?;
        let output = Output { directory: self.store.at(IMAGES).display().to_string(), name: name.clone() };
        let outcome = conversion.run(&output, self.interruption, || ())?;
        Ok((name, matches!(outcome, Outcome::Kept(_))))
    }

    /// Writes down which image it has become.
    fn note(&self, known: Record, name: &ImageName) -> Result<()> {
        if known.image.as_ref() == Some(name) {
            return Ok(());
        }
        write_record(self.store, &Record { image: Some(name.clone()), ..known })
    }
}

/// An app's versions on the disk, locked.
pub struct App<'a> {
    store: &'a StoreDir,
    dir: PathBuf,
    versions: Versions,
    history: History,
    _lock: rustix::fd::OwnedFd,
}

impl<'a> App<'a> {
    /// Reads them; one at a time changes them.
    pub fn open(store: &'a StoreDir, app: AppId) -> Result<Self> {
        let dir = store.make(&format!("{VERSIONS}/{app}"))?;
        let act = || format!("locking {}", dir.display());
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let lock = rustix::fs::open(&dir, flags, rustix::fs::Mode::empty()).with_context(act)?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).with_context(act)?;
        let names = below_root::names(&dir)?;
        let links =
            names.into_iter().filter_map(|name| below_root::link(&dir.join(&name)).map(|target| (name, target)));
        let about = |said: String| Fault::data(format!("{}: {said}", dir.display()));
        let history = match small(&history_path(store, &app))? {
            Some(text) => History::parse(&text).map_err(about)?,
            None => History::default(),
        };
        let versions = Versions::of(app, links).map_err(about)?;
        Ok(Self { store, dir, versions, history, _lock: lock })
    }

    /// Has the app use an image, if that is what is to be.
    fn take(mut self, reference: &str, image: &ImageName, start: Start, keep: u32) -> Result<Decision> {
        let decision = decide(&self.versions, &self.history, reference, image);
        let number = match &decision {
            Decision::Keep(version) | Decision::Stay(version) => version.number,
            Decision::Switch(version, history) => {
                self.history = history.clone();
                self.switch(version)?;
                self.versions.versions.push(version.clone());
                self.versions.current = Some(image.clone());
                version.number
            }
        };
        let before = self.history.clone();
        if start == Start::Now {
            self.history.start(number, clock::now());
        }
        self.forget(keep)?;
        if self.history != before {
            self.write_history()?;
        }
        Ok(decision)
    }

    /// The history first: whatever happens then, nothing is taken for good that has not come up.
    fn switch(&self, version: &Version) -> Result<()> {
        self.write_history()?;
        let target = versions::target(&version.image);
        below_root::link_anew(&self.dir.join(version.number.to_string()), &target)?;
        below_root::link_anew(&self.dir.join(CURRENT), &target)
    }

    fn write_history(&self) -> Result<()> {
        below_root::replace(&history_path(self.store, &self.versions.app), self.history.to_text()?)
    }

    /// Removes the links to versions that are not to stay.
    fn forget(&mut self, keep: u32) -> Result<()> {
        let back = self.history.trial.as_ref().map(|trial| trial.previous);
        let kept: Vec<u64> = self.versions.kept(keep as usize).iter().map(|version| version.number).collect();
        let gone = self.versions.versions.iter().map(|version| version.number);
        let gone: Vec<u64> = gone.filter(|number| !kept.contains(number) && back != Some(*number)).collect();
        for number in &gone {
            below_root::remove(&self.dir.join(number.to_string()))?;
            self.history.made_from.remove(number);
        }
        Ok(())
    }

    /// Goes back to the version before; the two versions.
    pub fn back(mut self) -> Result<(Version, Version)> {
        let (from, to) = self.ahead()?;
        self.history.leave(from.number, &from.image);
        self.write_history()?;
        below_root::link_anew(&self.dir.join(CURRENT), &versions::target(&to.image))?;
        Ok((from, to))
    }

    /// The version in use and the one that a way back leads to.
    pub fn ahead(&self) -> Result<(Version, Version)> {
        let nothing = || {
            let said = match current(&self.versions) {
                None => format!("{} has no version yet: it gets one when it is started", self.versions.app),
                Some(_) => format!("{} has no version before this one that was made from the same", self.versions.app),
            };
            Fault::no_input(said)
        };
        let (from, to) = before(&self.versions, &self.history).ok_or_else(nothing)?;
        Ok((from.clone(), to.clone()))
    }

    /// When the app was first started with the version in use, if that has yet to show that it comes up.
    pub fn on_trial_since(&self) -> Option<u64> {
        let number = current(&self.versions).map(|version| version.number);
        self.history.trial.as_ref().filter(|trial| Some(trial.version) == number)?.started
    }
}

fn history_path(store: &StoreDir, app: &AppId) -> PathBuf {
    store.at(HISTORIES).join(format!("{app}.json"))
}

/// The configuration of a container image that was made into an image of the store; none if it has none.
pub fn image_config(store: &StoreDir, origin: &Origin) -> Result<Option<Vec<u8>>> {
    let source = match (origin, record(store, &origin.to_string())?) {
        (Origin::Local(source), _) => source.clone(),
        (_, Some(known)) => Source::Blobs { root: store.at(STORE), digest: known.manifest },
        (_, None) => return Ok(None),
    };
    Ok(source::config(&source, &Platform::of_this_machine())?)
}
