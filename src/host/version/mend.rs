//! A damaged image made again, from what it was made from, in the place of the damaged one.
//! It looks for no damage: a scrub has written down what it found. What runs from the damaged file goes on until it is stopped.
//! Rules: docs/store.md, "Scrub". An image that comes out with another root hash is a fault, and replaces nothing.

use super::maker::Maker;
use crate::app::{Image, ImageFile, ImagePlace};
use crate::config::{ConfigText, Host, load_app};
use crate::host::interruption::Interruption;
use crate::host::pull::{self, Listener};
use crate::host::store::notes::{record, remove_record, small};
use crate::host::store::{StoreDir, StoreLock, read};
use crate::host::{below_root, config_files};
use crate::image::publish::{ImageName, Part};
use crate::layout::{IMAGES, SCRUB};
use crate::oci::document::Platform;
use crate::origin::Origin;
use crate::plan::make_words;
use crate::pull::{Spec, When};
use crate::root_hash::RootHash;
use crate::store::Record;
use crate::verity::Fault;
use crate::verity::scrub::Scrubbed;
use crate::version::{Arguments, Make, Verb};
use anyhow::{Context, Result};
use clap::Parser as _;
use std::time::Duration;

/// As `veneer-pull` has it when it is told nothing.
const RETRIES: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(90);

/// What became of a damaged image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mended {
    /// It was made again, of this.
    Anew(String),
    /// Nobody knows of what it can be made.
    Unknown,
}

/// The images that a scrub has found damaged, and that are still there.
pub fn damaged(store: &StoreDir) -> Result<Vec<ImageName>> {
    let mut found = Vec::new();
    for file in below_root::names(&store.at(SCRUB))? {
        let Some(name) = file.strip_suffix(".json").and_then(|name| ImageName::parse(name).ok()) else { continue };
        let text = below_root::read(&store.at(SCRUB).join(&file))?.unwrap_or_default();
        let is_there = below_root::exists(&store.at(IMAGES).join(name.of(Part::Raw)));
        found.extend(Scrubbed::parse(&text).damaged.filter(|_| is_there).map(|_| name));
    }
    Ok(found)
}

/// Makes a damaged image again.
pub fn mend(
    store: &StoreDir,
    name: &ImageName,
    listener: &dyn Listener,
    interruption: &Interruption,
) -> Result<Mended> {
    let text = config_files::read(store.root());
    let (host, _) = Host::load(&text);
    let mender = Mender { store, name, listener, interruption, text: &text, host: &host };
    let records = read(store).store.records;
    let mut failed = None;
    for known in records.iter().filter(|record| record.image.as_ref() == Some(name)) {
        match mender.of(known) {
            Ok(true) => {
                below_root::remove(&store.at(SCRUB).join(format!("{name}.json")))?;
                return Ok(Mended::Anew(known.reference.clone()));
            }
            Ok(false) => {}
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(Mended::Unknown), Err)
}

struct Mender<'a> {
    store: &'a StoreDir,
    name: &'a ImageName,
    listener: &'a dyn Listener,
    interruption: &'a Interruption,
    text: &'a ConfigText,
    host: &'a Host<'a>,
}

impl Mender<'_> {
    /// What the image must have again; none if that file is damaged too.
    fn root_hash(&self) -> Result<Option<RootHash>> {
        let bytes = small(&self.store.at(IMAGES).join(self.name.of(Part::RootHash)))?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.and_then(|text| RootHash::parse(text.trim_end()).ok()))
    }

    /// Whether it could be made of what a reference was resolved to.
    fn of(&self, known: &Record) -> Result<bool> {
        let origin = Origin::parse(&known.reference).map_err(Fault::data)?;
        // What is not read yet must not go meanwhile.
        let _held = StoreLock::share(self.store)?;
        match (self.by_any_way(&origin, known), &origin) {
            (Err(error), Origin::Registry(reference)) => {
                self.listener.hear(&format!("{}: {error:#}; fetching it again", self.name));
                self.fetch(&Origin::parse(&reference.at(&known.manifest)).map_err(Fault::data)?, known)?;
                self.by_any_way(&origin, known)
            }
            (done, _) => done,
        }
    }

    /// With what each app puts into it, and with nothing: one of these it was.
    fn by_any_way(&self, origin: &Origin, known: &Record) -> Result<bool> {
        for make in self.ways(origin)? {
            if Maker::new(self.store, &make, self.interruption).again_as(self.name, known, self.root_hash()?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn ways(&self, origin: &Origin) -> Result<Vec<Make>> {
        let plain = ["veneer-version".to_owned(), "make".to_owned(), origin.to_string()].to_vec();
        let apps = self.text.apps.iter().filter_map(|app| load_app(app, self.host).ok());
        let of_apps = apps.filter_map(|loaded| match &loaded.app.image {
            Image::File(ImageFile { place: ImagePlace::Made(making), .. }) if making.origin == *origin => {
                Some(make_words(&loaded.app.id, making))
            }
            _ => None,
        });
        let mut ways = Vec::new();
        for words in std::iter::once(plain).chain(of_apps) {
            if let Verb::Make(make) = Arguments::try_parse_from(words).context("reading our own words")?.verb {
                ways.push(*make);
            }
        }
        Ok(ways)
    }

    /// The very image that it was, by its digest: a tag may lead to another now.
    fn fetch(&self, pinned: &Origin, known: &Record) -> Result<()> {
        let reference = pinned.to_string();
        let before = record(self.store, &reference)?;
        pull::drop_damaged(self.store, known, self.listener);
        let spec = Spec {
            origin: pinned.clone(),
            when: When::Always,
            files: self.host.settings.pull.clone(),
            platform: Platform::of_this_machine(),
            retries: RETRIES,
            patience: PATIENCE,
        };
        pull::run(self.store, &spec, self.listener)?;
        match before {
            Some(_) => Ok(()),
            // Nobody has asked for it by this name.
            None => remove_record(self.store, &reference),
        }
    }
}
