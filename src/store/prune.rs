//! What of the store goes and what stays, each with its reason: decided, shown, then done.
//! It removes nothing; `host::store::remove` does what is decided here.
//! Rules: docs/store.md, "Prune". Whoever decides by a store or claims that could not be read whole is told so before.

use super::in_use::InUse;
use super::state::Store;
use super::verdict::{Fate, Item, Verdict};
use super::versions::CURRENT;
use crate::size::Size;
use std::collections::{BTreeMap, BTreeSet};

/// How far a prune goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything that nothing refers to.
    Everything,
    /// What the policy says, of what nothing refers to.
    Policy(Policy),
    /// Of what nothing refers to, as much as is needed for this much room, the oldest first.
    Room(u64),
}

/// `[prune]` of veneer.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Seconds that an image stays at least, though nothing refers to it.
    pub older_than: u64,
    /// Bytes that images may take before younger ones go as well.
    pub max_size: Option<Size>,
    /// Bytes that are to be free in the store's file system.
    pub min_free: Size,
}

impl Default for Policy {
    /// A day, so that an image pulled by hand is there when its app's file is written; no limit; a gibibyte.
    fn default() -> Self {
        Self { older_than: 86400, max_size: None, min_free: Size::of(1 << 30) }
    }
}

/// What is known of the machine besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970.
    pub time: u64,
    /// Bytes free in the store's file system.
    pub free: u64,
}

/// Decides.
pub fn decide(store: &Store, in_use: &InUse, reach: Reach, now: Now) -> Vec<Verdict> {
    let mut verdicts = images(store, in_use, reach, now);
    let going: BTreeSet<&str> = verdicts
        .iter()
        .filter_map(|verdict| match (&verdict.item, &verdict.fate) {
            (Item::Image(name), Fate::Goes(_)) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let (records, needed) = records(store, in_use, &going);
    let blobs = blobs(store, &needed, reach, now);
    // To lock what somebody is making changes its directory, which is what starts a run for room.
    if !matches!(reach, Reach::Room(_)) {
        verdicts.extend(leftovers(store, in_use));
    }
    verdicts.extend(versions(store, in_use));
    verdicts.extend(records);
    verdicts.extend(blobs);
    verdicts.extend(store.odd_blobs.iter().filter(|name| is_piece(name)).map(|name| {
        let fate = Fate::Goes("its download was broken off");
        Verdict { item: Item::Piece(name.clone()), files: vec![name.clone()], bytes: 0, fate }
    }));
    verdicts.extend(notes(store, in_use, &verdicts));
    verdicts.extend(store.trash.iter().map(|name| {
        let fate = Fate::Goes("it was taken out before");
        Verdict { item: Item::Trash(name.clone()), files: vec![name.clone()], bytes: 0, fate }
    }));
    verdicts
}

/// Images that share a file go together or stay together, so they are decided on by group.
fn images(store: &Store, in_use: &InUse, reach: Reach, now: Now) -> Vec<Verdict> {
    let mut idle: BTreeMap<usize, Idle> = BTreeMap::new();
    let mut all = 0;
    for (at, image) in store.images.iter().enumerate() {
        all += image.allocated();
        if !in_use.keeps(at) {
            let group = idle.entry(in_use.groups[at]).or_default();
            group.made = group.made.max(image.made());
            group.bytes += image.allocated();
        }
    }
    let going = going(&idle, all, reach, now);
    let verdict = |(at, image): (usize, &super::StoredImage)| {
        let fate = match going.get(&in_use.groups[at]) {
            _ if in_use.keeps(at) => Fate::Stays(in_use.images[at].iter().cloned().collect()),
            Some(why) => Fate::Goes(why),
            None => Fate::Stays(vec![reach.spares().to_owned()]),
        };
        let files = image.files.iter().map(|file| file.name.clone()).collect();
        Verdict { item: Item::Image(image.name.clone()), files, bytes: image.allocated(), fate }
    };
    store.images.iter().enumerate().map(verdict).collect()
}

/// A group of images that nothing refers to.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    made: u64,
    bytes: u64,
}

/// The groups that go, and why.
fn going(idle: &BTreeMap<usize, Idle>, all: u64, reach: Reach, now: Now) -> BTreeMap<usize, &'static str> {
    let mut oldest: Vec<(usize, Idle)> = idle.iter().map(|(group, idle)| (*group, *idle)).collect();
    oldest.sort_by_key(|(group, idle)| (idle.made, *group));
    let (mut left, mut free) = (all, now.free);
    let mut going = BTreeMap::new();
    for (group, Idle { made, bytes }) in oldest {
        let why = match reach {
            Reach::Everything => Some(UNUSED),
            Reach::Room(room) => (free < room).then_some(NO_ROOM),
            Reach::Policy(policy) => match policy {
                _ if now.time.saturating_sub(made) >= policy.older_than => Some(UNUSED),
                _ if policy.max_size.is_some_and(|most| left > most.bytes()) => Some(TOO_LARGE),
                _ => (free < policy.min_free.bytes()).then_some(NO_ROOM),
            },
        };
        if let Some(why) = why {
            left -= bytes;
            free += bytes;
            going.insert(group, why);
        }
    }
    going
}

const UNUSED: &str = "nothing refers to it";
const TOO_LARGE: &str = "nothing refers to it, and images take more than prune.max-size";
const NO_ROOM: &str = "nothing refers to it, and the disk is full";

impl Reach {
    fn spares(self) -> &'static str {
        match self {
            Self::Everything => "",
            Self::Policy(_) => "nothing refers to it, but it is younger than prune.older-than",
            Self::Room(_) => "nothing refers to it, but there is room",
        }
    }

    /// Whether an unused blob of this age goes.
    fn takes(self, age: u64) -> bool {
        match self {
            Self::Everything | Self::Room(_) => true,
            Self::Policy(policy) => age >= policy.older_than,
        }
    }
}

fn leftovers(store: &Store, in_use: &InUse) -> Vec<Verdict> {
    let verdict = |name: &String, files: &Vec<String>, fate| Verdict {
        item: Item::Leftover(name.clone()),
        files: files.clone(),
        bytes: 0,
        fate,
    };
    let orphans = store.rest.orphans.iter().map(|(name, files)| match in_use.orphans.get(name) {
        Some(by) => verdict(name, files, Fate::Stays(by.iter().cloned().collect())),
        None => verdict(name, files, Fate::Goes("its image is not there")),
    });
    let passing = store.rest.passing.iter();
    let passing = passing.map(|(name, files)| verdict(name, files, Fate::Goes("whoever made it was killed")));
    orphans.chain(passing).collect()
}

fn versions(store: &Store, in_use: &InUse) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for app in &store.apps {
        let id = app.app.as_str();
        for version in &app.versions {
            let stays = in_use.versions.contains(&(id.to_owned(), version.number));
            let fate = if stays {
                Fate::Stays(vec!["one of the last versions".into()])
            } else {
                Fate::Goes("older ones are not kept")
            };
            let files = vec![format!("{id}/{}", version.number)];
            verdicts.push(Verdict { item: Item::Version(id.to_owned(), version.number), files, bytes: 0, fate });
        }
        if !in_use.apps.contains(id) {
            let (item, files) = (Item::Versions(id.to_owned()), vec![format!("{id}/{CURRENT}")]);
            verdicts.push(Verdict { item, files, bytes: 0, fate: Fate::Goes("there is no such app") });
        }
    }
    verdicts
}

/// What becomes of records, and the blobs that those which stay need.
fn records<'a>(store: &'a Store, in_use: &InUse, going: &BTreeSet<&str>) -> (Vec<Verdict>, BTreeSet<&'a str>) {
    let (mut verdicts, mut needed) = (Vec::new(), BTreeSet::new());
    for (record, by) in store.records.iter().zip(&in_use.records) {
        // Of an image that only the policy keeps, what is known of it is kept, too.
        let image = record.image.as_ref().map(|image| image.as_str());
        let spared = image.is_some_and(|image| store.image(image).is_some() && !going.contains(image));
        let fate = match (by.is_empty(), spared) {
            (false, _) => Fate::Stays(by.iter().cloned().collect()),
            (true, true) => Fate::Stays(vec!["its image stays".into()]),
            (true, false) => Fate::Goes("its image goes, and nothing refers to it"),
        };
        if matches!(fate, Fate::Stays(_)) {
            needed.extend(record.blobs.iter().chain([&record.manifest]).map(|digest| digest.hex()));
        }
        let files = vec![super::Record::file_name(&record.reference)];
        verdicts.push(Verdict { item: Item::Record(record.reference.clone()), files, bytes: 0, fate });
    }
    (verdicts, needed)
}

fn blobs(store: &Store, needed: &BTreeSet<&str>, reach: Reach, now: Now) -> Vec<Verdict> {
    let verdict = |blob: &super::Blob| {
        let fate = match () {
            () if needed.contains(blob.hex.as_str()) => Fate::Stays(vec!["a record that stays has it".into()]),
            () if reach.takes(now.time.saturating_sub(blob.modified)) => Fate::Goes("no record that stays has it"),
            () => Fate::Stays(vec!["no record has it, but it is younger than prune.older-than".into()]),
        };
        Verdict { item: Item::Blob(blob.hex.clone()), files: vec![blob.hex.clone()], bytes: blob.allocated, fate }
    };
    store.blobs.iter().map(verdict).collect()
}

/// What small files are about things that are gone, or go with this.
fn notes(store: &Store, in_use: &InUse, verdicts: &[Verdict]) -> Vec<Verdict> {
    let staying: BTreeSet<&str> = verdicts
        .iter()
        .filter(|verdict| !verdict.goes())
        .flat_map(|verdict| match &verdict.item {
            Item::Image(name) => std::slice::from_ref(name),
            Item::Record(_) => &verdict.files[..],
            _ => &[],
        })
        .map(String::as_str)
        .collect();
    let notes = &store.notes;
    let histories = notes.histories.keys().filter(|app| !in_use.apps.contains(*app));
    let histories = histories.map(|app| (format!("updates/{app}.json"), "there is no such app"));
    let scrubbed = notes.scrubbed.iter().filter(|name| !staying.contains(name.as_str()));
    let scrubbed = scrubbed.map(|name| (format!("scrub/{name}.json"), "its image is not there"));
    let locks = notes.locks.iter().filter(|record| !staying.contains(record.as_str()));
    let locks = locks.map(|record| (format!("refs/.{}.lock", record.trim_end_matches(".json")), "it has no record"));
    let drafts = notes.drafts.iter().map(|path| (path.clone(), "whoever wrote it was killed"));
    let verdict = |(path, why): (String, &'static str)| Verdict {
        item: Item::Note(path.clone()),
        files: vec![path],
        bytes: 0,
        fate: Fate::Goes(why),
    };
    histories.chain(scrubbed).chain(locks).chain(drafts).map(verdict).collect()
}

/// Names of blobs that are on their way: ours begin with a dot, skopeo's as its layouts have them.
fn is_piece(name: &str) -> bool {
    name.starts_with('.') || name.starts_with("oci-put-blob")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoredFile, StoredImage};

    const DAY: u64 = 86400;

    /// Unused images of one mebibyte each, by name and age in days.
    fn store(images: &[(&str, u64)]) -> Store {
        let image = |(inode, (name, age)): (usize, &(&str, u64))| {
            let file = StoredFile {
                name: format!("{name}.raw"),
                size: 1 << 20,
                allocated: 1 << 20,
                inode: Some((1, inode as u64)),
                modified: (100 - age) * DAY,
            };
            StoredImage { name: (*name).into(), files: vec![file], images: 1 }
        };
        Store { images: images.iter().enumerate().map(image).collect(), ..Store::default() }
    }

    fn gone(reach: Reach, free: u64) -> Vec<String> {
        let store = store(&[("a", 3), ("b", 0), ("c", 2), ("d", 1)]);
        let verdicts = decide(&store, &InUse::of(&store, &[], 3), reach, Now { time: 100 * DAY, free });
        verdicts.iter().filter(|verdict| verdict.goes()).map(|verdict| verdict.item.to_string()).collect()
    }

    #[test]
    fn a_policy_takes_the_oldest_first_and_no_more_than_it_must() {
        let size = |text| Size::parse(text).expect("good size");
        let policy = Policy { older_than: 2 * DAY, max_size: None, min_free: size("1M") };
        assert_eq!(gone(Reach::Everything, 0), ["image a", "image b", "image c", "image d"]);
        assert_eq!(gone(Reach::Policy(policy), u64::MAX >> 1), ["image a", "image c"]);
        let small = Policy { max_size: Some(size("1M")), ..policy };
        assert_eq!(gone(Reach::Policy(small), u64::MAX >> 1), ["image a", "image c", "image d"]);
        let full = Policy { min_free: size("3M"), ..policy };
        assert_eq!(gone(Reach::Policy(full), 0), ["image a", "image c", "image d"]);
        assert_eq!(gone(Reach::Room(2 << 20), 1 << 20), ["image a"]);
        assert!(gone(Reach::Room(1 << 20), 1 << 20).is_empty());
    }
}
