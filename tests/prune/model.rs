//! The plain model: what of a random store must stay.
//! It lays what was noted over the images in loops a child could follow, and reads nothing.
//! Rules: docs/store.md, "What is in use" and "Prune".

use crate::world::{Version, World};
use std::collections::BTreeSet;

impl World {
    /// Whether nothing may be removed at all.
    pub(crate) fn is_refused(&self) -> bool {
        let idle = self.images.iter().any(|image| !self.used_images().contains(image.name));
        self.broken || (self.claims == 0 && self.apps.is_empty() && idle)
    }

    /// The names of images that stay.
    fn used_images(&self) -> BTreeSet<&'static str> {
        let mut names = self.names.clone();
        names.extend(&self.pins);
        for record in self.records.iter().filter(|record| self.references.contains(&record.reference)) {
            names.insert(record.image);
        }
        for version in self.versions.iter().filter(|version| self.stays(version)) {
            names.insert(version.image);
        }
        names.extend(self.currents.iter().filter(|(app, _)| self.apps.contains(app)).map(|(_, image)| image));
        // Whatever is the same file as one that stays, stays: until nothing is added any more.
        let all: BTreeSet<&'static str> = self.images.iter().map(|image| image.name).collect();
        let mut used: BTreeSet<&'static str> = names.intersection(&all).copied().collect();
        loop {
            let count = used.len();
            for one in &self.images {
                for other in &self.images {
                    if one.real == other.real && used.contains(one.name) {
                        used.insert(other.name);
                    }
                }
            }
            if used.len() == count {
                return used;
            }
        }
    }

    /// Whether a version is one of the last three of a known app: the newest one that is current, and the newest others.
    fn stays(&self, version: &Version) -> bool {
        let of_app = |other: &&Version| other.app == version.app;
        let current = self.currents.iter().find(|(app, _)| *app == version.app).map(|(_, image)| *image);
        let is_current = |other: &&Version| Some(other.image) == current;
        let newest_current = self.versions.iter().filter(of_app).filter(is_current).map(|other| other.number).max();
        let others = self.versions.iter().filter(of_app).filter(|other| Some(other.number) != newest_current);
        let newer = others.filter(|other| other.number > version.number).count();
        let room = if newest_current.is_some() { 2 } else { 3 };
        let goes_back = self.trials.contains(&(version.app, Some(version.number)));
        self.apps.contains(version.app) && (goes_back || Some(version.number) == newest_current || newer < room)
    }

    /// Every file that must still be there, and no other.
    pub(crate) fn kept(&self) -> BTreeSet<String> {
        let used = self.used_images();
        let mut kept: BTreeSet<String> = self.foreign.iter().cloned().collect();
        for image in self.images.iter().filter(|image| used.contains(image.name)) {
            kept.extend(image.files.iter().cloned());
        }
        for record in &self.records {
            if used.contains(record.image) || self.references.contains(&record.reference) {
                kept.insert(record.file.clone());
                kept.extend(record.blobs.iter().map(|hex| format!("blobs/sha256/{hex}")));
            }
        }
        for version in self.versions.iter().filter(|version| self.stays(version)) {
            kept.insert(format!("apps/{}/{}", version.app, version.number));
        }
        let known = self.currents.iter().filter(|(app, _)| self.apps.contains(app));
        kept.extend(known.map(|(app, _)| format!("apps/{app}/current")));
        let known = self.trials.iter().filter(|(app, _)| self.apps.contains(app));
        kept.extend(known.map(|(app, _)| format!("updates/{app}.json")));
        let there =
            |name: &&&'static str| self.images.iter().any(|image| image.name == **name) && used.contains(**name);
        kept.extend(self.scrubbed.iter().filter(there).map(|name| format!("scrub/{name}.json")));
        let locks =
            self.locks.iter().filter(|hex| kept.contains(&format!("refs/{hex}.json"))).cloned().collect::<Vec<_>>();
        kept.extend(locks.iter().map(|hex| format!("refs/.{hex}.lock")));
        kept.extend(self.pins.iter().map(|name| format!("pins/{name}.json")));
        kept
    }
}
