//! One source made into an image of the store: converted, taken in as it is, or found there.
//! Whose version it becomes is `app`'s. What of it is asked first, and when, is docs/pull.md's.
//! The caller shares the store's lock: until the image is referred to, no prune may take it.

use crate::convert::recipe::{Named, recipe};
use crate::convert::{Arguments as ConvertArguments, Output, Spec};
use crate::host::artifact as host_artifact;
use crate::host::conversion::{Conversion, Outcome};
use crate::host::interruption::Interruption;
use crate::host::store::StoreDir;
use crate::host::store::notes::{record, small, write_record};
use crate::host::stores::LayoutDirectory;
use crate::host::{clock, convert, injected, source};
use crate::image::manifest::{Manifest, Recipe};
use crate::image::publish::{ImageName, Part};
use crate::layer::digest::{Digest, Expected};
use crate::layout::{IMAGES, STORE};
use crate::oci::document::{Platform, parse};
use crate::oci::store::{blob_name, read_document};
use crate::origin::Origin;
use crate::root_hash::RootHash;
use crate::store::artifact::{self, Piece};
use crate::store::{Record, name};
use crate::verity::Fault;
use crate::version::{Make, Start};
use anyhow::{Context, Result};
use clap::Parser as _;
use std::collections::BTreeMap;
use std::io::ErrorKind;

/// A source on its way to an image.
pub(super) struct Maker<'a> {
    store: &'a StoreDir,
    make: &'a Make,
    reference: String,
    interruption: &'a Interruption,
}

impl<'a> Maker<'a> {
    pub(super) fn new(store: &'a StoreDir, make: &'a Make, interruption: &'a Interruption) -> Self {
        Self { store, make, reference: make.origin.to_string(), interruption }
    }

    /// The image's name, and whether it was there.
    pub(super) fn image(&self, remarks: &mut Vec<String>) -> Result<(ImageName, bool)> {
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
        if let Some(pieces) = self.pieces(&known)? {
            return self.taken_in(known, &pieces);
        }
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

    /// The files of an image that somebody else has made, if that is what was pulled.
    fn pieces(&self, known: &Record) -> Result<Option<Vec<Piece>>> {
        let layout = LayoutDirectory(self.store.at(STORE));
        let expected = Expected { digest: Some(known.manifest.clone()), size: None };
        let text = match read_document(&layout, &blob_name(&known.manifest), expected) {
            Ok(text) => text,
            // Of an image that is there nothing else is needed.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = artifact::pieces(&parse("the manifest", &text)?);
        Ok(found.transpose().map_err(|said| Fault::data(format!("{}: {said}", self.reference)))?)
    }

    /// An image that somebody else has made: nothing is converted.
    fn taken_in(&self, known: Record, pieces: &[Piece]) -> Result<(ImageName, bool)> {
        if self.make.changes() {
            let said = format!("{} is an image that is made already: nothing can be put into it", self.reference);
            return Err(Fault::data(said).into());
        }
        let name = host_artifact::name(&known.manifest)?;
        let kept = self.is_there(&name);
        if !kept {
            host_artifact::install(self.store, &known.manifest, pieces, host_artifact::Present::Stays)?;
        }
        self.note(known, &name)?;
        Ok((name, kept))
    }

    /// Makes an image anew, in the place of the damaged one if it has its root hash; whether it can be made of this source.
    pub(super) fn again_as(&self, wanted: &ImageName, known: &Record, root: Option<RootHash>) -> Result<bool> {
        let is_local = matches!(self.make.origin, Origin::Local(_));
        let pieces = if is_local { None } else { self.pieces(known)? };
        if let Some(pieces) = pieces {
            host_artifact::install(self.store, &known.manifest, &pieces, host_artifact::Present::Replaced)?;
            return Ok(true);
        }
        let source = match is_local {
            true => self.reference.clone(),
            false => format!("store:{}@{}", self.store.at(STORE).display(), known.manifest),
        };
        let spec = self.spec(&source)?;
        let opened = convert::open(&spec)?;
        let conversion = Conversion::new(&spec, &opened)?;
        if !conversion.is_by_digest() || name::by_content(conversion.recipe())? != *wanted {
            return Ok(false);
        }
        let output = Output { directory: self.store.at(IMAGES).display().to_string(), name: wanted.clone() };
        conversion.anew(root).run(&output, self.interruption, || ())?;
        Ok(true)
    }

    fn local(&self, known: Option<Record>, remarks: &mut Vec<String>) -> Result<(ImageName, bool)> {
        let source = self.reference.clone();
        let spec = self.spec(&source)?;
        let made = known.as_ref().and_then(|known| known.image.clone()).filter(|image| self.is_there(image));
        let by_digest = known.as_ref().is_some_and(|known| !known.blobs.is_empty());
        if let (Some(image), false, Start::Now) = (&made, by_digest, self.make.start()) {
            // It has no digest to tell whether it is another now: once is enough, until an update.
            if self.is_as_asked(&spec, image)? {
                return Ok((image.clone(), true));
            }
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
        let (name, is_asked_for) = match known.blobs.get(1) {
            Some(config) => {
                let name = self.name(spec, &Named::By(config.clone()))?;
                let is_there = self.is_there(&name);
                (name, is_there)
            }
            None => {
                let image = known.image.clone().context("the record names no image")?;
                let is_asked_for = self.is_as_asked(spec, &image)?;
                (image, is_asked_for)
            }
        };
        match is_asked_for {
            true => Ok((name, true)),
            false => Err(Fault::no_input(format!(
                "{} is not there any more, and how the image is made of it has changed",
                self.reference
            ))
            .into()),
        }
    }

    /// Whether an image was made as is asked for now, whatever its source was; one without a manifest is believed.
    fn is_as_asked(&self, spec: &Spec, image: &ImageName) -> Result<bool> {
        let Some(text) = small(&self.store.at(IMAGES).join(image.of(Part::Manifest)))? else { return Ok(true) };
        let Ok(Manifest { recipe: made, .. }) = serde_json::from_slice(&text) else { return Ok(true) };
        let (_, injected) = injected::open(&spec.inject)?;
        let asked = recipe(spec, &Named::Unknown(""), injected, None);
        Ok((asked.format, asked.options, asked.injected) == (made.format, made.options, made.injected))
    }

    /// The conversion as `veneer-convert` would be told to do it.
    fn spec(&self, source: &str) -> Result<Spec> {
        let mut words = vec!["veneer-convert".to_owned(), source.to_owned()];
        words.push(format!("--output={}", self.store.at(IMAGES).join("made").display()));
        let platform = self.make.platform.clone().unwrap_or_else(Platform::of_this_machine);
        words.push(format!("--platform={platform}"));
        words.extend(self.make.convert_words());
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

    fn convert_opened(&self, spec: &Spec, opened: &source::Opened, nonce: u64) -> Result<(ImageName, bool)> {
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
