//! `veneer-verity scrub`: every block of an image read from the disk and held against its hash tree, where the last one stopped.
//! It repairs nothing: a damaged image is named, with the reference it can be made of again (`version::mend`).
//! It holds no lock: a file that is pruned meanwhile can be read to its end. Rules: posix_fadvise(2), docs/store.md, "Scrub".

use super::below_root::replace;
use super::clock;
use super::image_files::VerityFiles;
use super::image_look::Look;
use super::journal::{Entry, Journal, Weight};
use super::store::{StoreDir, read};
use super::tree_check;
use crate::layout::{IMAGES, SCRUB};
use crate::message;
use crate::store::Store;
use crate::sysexits::Exit;
use crate::verity::Fault;
use crate::verity::scrub::Scrubbed;
use anyhow::Result;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often it is written down how far it is.
const INTERVAL: Duration = Duration::from_secs(5);
/// The name that stands for every image.
pub const ALL: &str = "all";

/// Reads one image, or all of them; what it ends with.
pub fn run(store: &StoreDir, name: &str, journal: &Journal) -> Exit {
    let found = read(store).store;
    let scrub = Scrub { dir: store, store: &found, journal };
    let exits = match name {
        // An image may be called so, too.
        ALL if found.image(ALL).is_none() => scrub.in_turn().iter().map(|name| scrub.one(name)).collect(),
        name => vec![scrub.one(name)],
    };
    exits.into_iter().find(|exit| *exit != Exit::Success).unwrap_or(Exit::Success)
}

struct Scrub<'a> {
    dir: &'a StoreDir,
    store: &'a Store,
    journal: &'a Journal,
}

impl Scrub<'_> {
    /// All images that can be checked: the one that was begun first, then those that were longest not read.
    fn in_turn(&self) -> Vec<String> {
        let has_root = |image: &&crate::store::StoredImage| {
            image.files.iter().any(|file| file.name == format!("{}.roothash", image.name))
        };
        let images = self.store.images.iter().filter(has_root);
        let mut names: Vec<(bool, u64, String)> = images
            .map(|image| {
                let state = self.state(&image.name);
                (state.next == 0, state.finished, image.name.clone())
            })
            .collect();
        names.sort_unstable();
        names.into_iter().map(|(_, _, name)| name).collect()
    }

    fn one(&self, name: &str) -> Exit {
        match self.check(name) {
            Ok(root) => {
                let text = format!("{name}: every block is as its root hash says");
                self.say(Weight::Info, message::SCRUBBED, name, Some(&root), &text);
                Exit::Success
            }
            Err(error) => {
                let fault = Fault::of(&error);
                let again = fault.filter(|fault| fault.is_of_the_image()).map(|_| self.again(name)).unwrap_or_default();
                self.say(Weight::Error, message::DAMAGED, name, None, &format!("{name}: {error:#}{again}"));
                fault.map_or(Exit::Failure, |fault| fault.exit)
            }
        }
    }

    fn check(&self, name: &str) -> Result<String> {
        let missing = |what: &str| Fault::no_input(format!("there is no {what}"));
        let own = self.store.image(name).and_then(|image| image.own().first()).ok_or_else(|| missing("such image"))?;
        let look = Look::at(&self.dir.at(IMAGES).join(&own.name))?.ok_or_else(|| missing("such image"))?;
        let root = look.root.ok_or_else(|| missing("root hash beside it"))?;
        let tree = look.tree.ok_or_else(|| missing("hash tree beside it"))?;
        let state = self.state(name);
        let text = root.to_string();
        let verity = VerityFiles { tree, root, root_file: None, signature: None };
        let mut told = Instant::now();
        let checked = tree_check::scrub(&look.image, &verity, state.begin(&text), |next| {
            if told.elapsed() >= INTERVAL {
                told = Instant::now();
                // Lost, it is read again; a full disk is no reason to read nothing.
                let _ = self.write(name, &state.reached(&text, next));
            }
        });
        let damaged = checked.as_ref().err().map(ToString::to_string);
        let written = self.write(name, &state.ended(&text, clock::now(), damaged));
        checked?;
        written.map(|()| text)
    }

    /// Where a good copy can be had.
    fn again(&self, name: &str) -> String {
        let of_image =
            |record: &&crate::store::Record| record.image.as_ref().is_some_and(|image| image.as_str() == name);
        match self.store.records.iter().find(of_image) {
            Some(record) => {
                format!("; it was made of {}: veneer-mend.service makes it again", record.reference)
            }
            None => "; where it came from is not known".to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.at(SCRUB).join(format!("{name}.json"))
    }

    fn state(&self, name: &str) -> Scrubbed {
        // What cannot be read is read from the beginning.
        let text = super::below_root::read(&self.path(name)).ok().flatten();
        text.map(|text| Scrubbed::parse(&text)).unwrap_or_default()
    }

    fn write(&self, name: &str, state: &Scrubbed) -> Result<()> {
        replace(&self.path(name), serde_json::to_string(state)?)
    }

    fn say(&self, weight: Weight, id: message::MessageId, name: &str, root: Option<&str>, text: &str) {
        let path = format!("{IMAGES}/{name}.raw");
        Entry::about_image(weight, id, Some(&path)).root_hash(root).say(self.journal, text);
    }
}
