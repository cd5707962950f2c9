//! What of the store is in use, and by what: claims from all over the machine, laid on the store.
//! It asks nobody: `host::store::roots` collects the claims, and says if one could not be collected.
//! What counts as a claim is docs/store.md's, "What is in use".

use super::state::{Inode, Store};
use crate::layout::{IMAGES, VERSIONS};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Endings of the files of an image.
const ENDINGS: [&str; 7] = [".raw", ".app.img", ".verity", ".hash", ".roothash", ".roothash.p7s", ".manifest.json"];
/// A name in a directory has no more bytes.
const NAME_MAX: usize = 255;

/// Something that keeps what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it names.
    pub on: On,
    /// What it is, as a person is told.
    pub by: String,
}

/// What a claim is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    /// An image by its name, as in `file = "hello"`.
    Name(String),
    /// A file, wherever it is, and whatever is at the path's end.
    Path(String, Option<Inode>),
    /// What a reference was resolved to.
    Reference(String),
    /// The last versions of an app.
    App(String),
    /// Whatever of the store is named by a path in a text.
    Text(String),
}

/// What of a store is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    /// By what each image is used, by the image's place in the store.
    pub images: Vec<BTreeSet<String>>,
    /// Images that are the same file under several names: the number of a group for each.
    pub groups: Vec<usize>,
    /// Files beside images that are not there, by name.
    pub orphans: BTreeMap<String, BTreeSet<String>>,
    /// By what each record is used, by its place in the store.
    pub records: Vec<BTreeSet<String>>,
    /// Apps that something knows of.
    pub apps: BTreeSet<String>,
    /// The versions that stay: app and number.
    pub versions: BTreeSet<(String, u64)>,
}

impl InUse {
    /// Lays claims on a store, of each app's versions so many.
    pub fn of(store: &Store, claims: &[Claim], keep: usize) -> Self {
        let mut finder = Finder::new(store, keep);
        claims.iter().for_each(|claim| finder.claim(claim));
        finder.pins();
        finder.share();
        finder.records_of_images();
        finder.found
    }

    /// Whether anything keeps this image.
    pub fn keeps(&self, image: usize) -> bool {
        self.images.get(image).is_some_and(|by| !by.is_empty())
    }
}

struct Finder<'a> {
    store: &'a Store,
    keep: usize,
    by_name: HashMap<&'a str, usize>,
    by_inode: HashMap<Inode, usize>,
    found: InUse,
}

impl<'a> Finder<'a> {
    fn new(store: &'a Store, keep: usize) -> Self {
        let by_name = store.images.iter().enumerate().map(|(at, image)| (image.name.as_str(), at)).collect();
        let (groups, by_inode) = groups(store);
        let found = InUse {
            images: vec![BTreeSet::new(); store.images.len()],
            groups,
            records: vec![BTreeSet::new(); store.records.len()],
            ..InUse::default()
        };
        Self { store, keep, by_name, by_inode, found }
    }

    fn claim(&mut self, claim: &Claim) {
        match &claim.on {
            On::Name(name) => self.name(name, &claim.by),
            On::Path(path, inode) => {
                self.text(path, &claim.by);
                if let Some(image) = inode.and_then(|inode| self.by_inode.get(&inode)) {
                    self.found.images[*image].insert(claim.by.clone());
                }
            }
            On::Reference(reference) => self.reference(reference, &claim.by),
            On::App(app) => self.app(app, &claim.by),
            On::Text(text) => self.text(text, &claim.by),
        }
    }

    fn name(&mut self, name: &str, by: &str) {
        if let Some(image) = self.by_name.get(name) {
            self.found.images[*image].insert(by.to_owned());
        } else if self.store.rest.orphans.contains_key(name) {
            self.found.orphans.entry(name.to_owned()).or_default().insert(by.to_owned());
        }
    }

    fn reference(&mut self, reference: &str, by: &str) {
        let at = self.store.records.binary_search_by(|record| record.reference.as_str().cmp(reference));
        if let Ok(at) = at {
            self.found.records[at].insert(by.to_owned());
            if let Some(image) = &self.store.records[at].image {
                self.name(image.as_str(), by);
            }
        }
    }

    fn app(&mut self, app: &str, by: &str) {
        self.found.apps.insert(app.to_owned());
        let Ok(at) = self.store.apps.binary_search_by(|versions| versions.app.as_str().cmp(app)) else { return };
        let versions = &self.store.apps[at];
        for version in versions.kept(self.keep) {
            self.found.versions.insert((app.to_owned(), version.number));
            self.name(version.image.as_str(), &format!("version {} of app {app} ({by})", version.number));
        }
        // However few are kept, a failed update has somewhere to go back to.
        let trial = self.store.notes.histories.get(app).and_then(|history| history.trial.as_ref());
        let back = trial.map(|trial| trial.previous);
        for version in versions.versions.iter().filter(|version| Some(version.number) == back) {
            self.found.versions.insert((app.to_owned(), version.number));
            self.name(version.image.as_str(), &format!("what app {app} goes back to if it does not come up ({by})"));
        }
        if let Some(current) = &versions.current {
            self.name(current.as_str(), &format!("the current version of app {app} ({by})"));
        }
    }

    /// Every path into the store in a text. What follows a path is not known, so the names that are there decide.
    fn text(&mut self, text: &str, by: &str) {
        let store = self.store;
        for rest in behind(text, IMAGES) {
            for name in names_at(rest) {
                if self.by_name.contains_key(name) || store.rest.orphans.contains_key(name) {
                    self.name(name, by);
                }
            }
        }
        for rest in behind(text, VERSIONS) {
            let end = rest.find(|c: char| !matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-'));
            self.app(&rest[..end.unwrap_or(rest.len())], by);
        }
    }

    fn pins(&mut self) {
        for (name, pin) in &self.store.pins {
            let why = pin.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            self.name(name, &format!("pinned{why}"));
        }
    }

    /// What is one file stays under all its names.
    fn share(&mut self) {
        let mut used: HashMap<usize, usize> = HashMap::new();
        for (at, by) in self.found.images.iter().enumerate().filter(|(_, by)| !by.is_empty()) {
            let _ = by;
            used.entry(self.found.groups[at]).or_insert(at);
        }
        for at in 0..self.found.images.len() {
            if let Some(other) = used.get(&self.found.groups[at]).filter(|_| self.found.images[at].is_empty()) {
                let name = &self.store.images[*other].name;
                self.found.images[at].insert(format!("the same file as {name}, which is in use"));
            }
        }
    }

    /// What is known of an image stays with it.
    fn records_of_images(&mut self) {
        for (at, record) in self.store.records.iter().enumerate() {
            let image = record.image.as_ref().and_then(|image| self.by_name.get(image.as_str()));
            if let Some(image) = image.filter(|image| !self.found.images[**image].is_empty()) {
                self.found.records[at].insert(format!("{} is in use", self.store.images[*image].name));
            }
        }
    }
}

/// Each rest of the text that follows a directory's path and a slash.
fn behind<'t>(text: &'t str, directory: &str) -> impl Iterator<Item = &'t str> {
    let length = directory.len() + 1;
    let found = text.match_indices(directory).map(|(at, _)| at).collect::<Vec<_>>();
    found
        .into_iter()
        .filter(move |at| text.as_bytes().get(at + length - 1) == Some(&b'/'))
        .map(move |at| &text[at + length..])
}

/// The names of images that a text may begin with: what stands before one of our endings.
fn names_at(text: &str) -> impl Iterator<Item = &str> {
    let end = text.find(['/', '\n']).unwrap_or(text.len());
    let text = &text[..end];
    let dots = text.match_indices('.').map(|(at, _)| at).take_while(|at| *at < NAME_MAX).collect::<Vec<_>>();
    dots.into_iter().filter(|at| ENDINGS.iter().any(|ending| text[*at..].starts_with(ending))).map(|at| &text[..at])
}

/// The group of each image, and an image of each inode: images that have any file in common are one group.
fn groups(store: &Store) -> (Vec<usize>, HashMap<Inode, usize>) {
    let mut groups: Vec<usize> = (0..store.images.len()).collect();
    let mut by_inode: HashMap<Inode, usize> = HashMap::with_capacity(store.images.len() * 4);
    for (at, image) in store.images.iter().enumerate() {
        for inode in image.files.iter().filter_map(|file| file.inode) {
            let first = *by_inode.entry(inode).or_insert(at);
            if first != at {
                let (a, b) = (root(&mut groups, first), root(&mut groups, at));
                let least = a.min(b);
                groups[a] = least;
                groups[b] = least;
            }
        }
    }
    for at in 0..groups.len() {
        groups[at] = root(&mut groups, at);
    }
    (groups, by_inode)
}

fn root(groups: &mut [usize], mut at: usize) -> usize {
    while groups[at] != at {
        groups[at] = groups[groups[at]];
        at = groups[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Pin, StoredFile, StoredImage};

    fn image(name: &str, inode: u64) -> StoredImage {
        let file = |ending: &str, inode| StoredFile {
            name: format!("{name}{ending}"),
            size: 1,
            allocated: 1,
            inode: Some((1, inode)),
            modified: 0,
        };
        StoredImage { name: name.into(), files: vec![file(".raw", inode), file(".verity", inode + 1000)], images: 1 }
    }

    fn store(names: &[(&str, u64)]) -> Store {
        Store { images: names.iter().map(|(name, inode)| image(name, *inode)).collect(), ..Store::default() }
    }

    fn used(store: &Store, on: On) -> Vec<&str> {
        let found = InUse::of(store, &[Claim { on, by: "x".into() }], 3);
        let kept = store.images.iter().enumerate().filter(|(at, _)| found.keeps(*at));
        kept.map(|(_, image)| image.name.as_str()).collect()
    }

    #[test]
    fn a_path_in_a_text_is_found_whatever_stands_around_it() {
        let store = store(&[("a", 1), ("a b", 2), ("a.raw", 3), ("b", 4)]);
        let text = |text: &str| used(&store, On::Text(text.into()));
        assert_eq!(text("ExecStart={ argv[]=/x --image=/var/lib/veneer/images/a.raw ; }"), ["a"]);
        assert_eq!(text("/var/lib/veneer/images/a b.verity,/var/lib/veneer/images/b.raw (deleted)"), ["a b", "b"]);
        assert_eq!(text("/var/lib/veneer/images/a.raw.raw"), ["a", "a.raw"]);
        assert!(
            text("/var/lib/veneer/images/c.raw /var/lib/veneer/images/x/b.raw /var/lib/veneer/imagesb.raw").is_empty()
        );
        assert!(text("/var/lib/veneer/images/").is_empty() && text("/var/lib/veneer/images").is_empty());
    }

    #[test]
    fn one_file_under_two_names_stays_under_both() {
        let store = store(&[("a", 1), ("b", 1), ("c", 3)]);
        assert_eq!(used(&store, On::Name("b".into())), ["a", "b"]);
        assert_eq!(used(&store, On::Path("/srv/link".into(), Some((1, 1)))), ["a", "b"]);
        assert_eq!(used(&store, On::Path("/srv/link".into(), Some((2, 1)))), [""; 0]);
    }

    #[test]
    fn pins_say_why() {
        let mut store = store(&[("a", 1)]);
        store.pins.insert("a".into(), Pin { when: 0, reason: Some("for the auditors".into()) });
        store.pins.insert("gone".into(), Pin { when: 0, reason: None });
        let found = InUse::of(&store, &[], 3);
        assert!(found.images[0].contains("pinned: for the auditors"));
    }
}
