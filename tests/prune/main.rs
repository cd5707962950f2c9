//! Prune against a slow, plain model: random stores with random users, pruned for real, and looked at afterwards.
//! The model (`world`, `model`) knows what it wrote and why; it reads nothing and shares no code with what is tested.
//! `PRUNE_STATES=10000 cargo test --release --test prune` for many; `PRUNE_SEED=n` for one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dice;
mod model;
mod users;
mod world;

use dice::Dice;
use std::collections::BTreeSet;
use std::path::Path;
use veneer::host::prune::{Outcome, run_with};
use veneer::store::spec::{Doing, NoneUsed, Spec, Wanted};
use world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn spec(root: &Path, doing: Doing) -> Spec {
    Spec { doing, wanted: Wanted::Everything, none_used: NoneUsed::Refused, json: None, root: root.to_owned() }
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Everything below the store, by path.
fn all(root: &Path) -> BTreeSet<String> {
    let store = root.join("var/lib/veneer");
    let mut found = BTreeSet::new();
    for place in ["images", "refs", "pins", "blobs/sha256", "trash", "updates", "scrub"] {
        found.extend(names(&store.join(place)).into_iter().map(|name| format!("{place}/{name}")));
    }
    for app in names(&store.join("apps")) {
        found.extend(names(&store.join("apps").join(&app)).into_iter().map(|name| format!("apps/{app}/{name}")));
    }
    found
}

fn check(seed: u64) {
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let world = World::make(root.path(), &mut Dice::new(seed));
    let before = all(root.path());
    let run = |doing| run_with(&spec(root.path(), doing), || Ok(world.units.clone()), || ()).unwrap();
    let shown = run(Doing::Showing);
    assert_eq!(all(root.path()), before, "seed {seed}: a dry run changed something");
    let outcome = run(Doing::Removing);
    let after = all(root.path());
    if world.is_refused() {
        assert!(matches!((shown, outcome), (Outcome::Refused(_), Outcome::Refused(_))), "seed {seed}: not refused");
        assert_eq!(after, before, "seed {seed}: something was removed all the same");
        return;
    }
    match outcome {
        Outcome::Done(pruned) => assert!(pruned.removed.failed.is_empty(), "seed {seed}: {:?}", pruned.removed.failed),
        other => panic!("seed {seed}: {other:?}"),
    }
    let wanted = world.kept();
    let (lost, left): (Vec<_>, Vec<_>) = (wanted.difference(&after).collect(), after.difference(&wanted).collect());
    assert!(lost.is_empty() && left.is_empty(), "seed {seed}: lost {lost:?}, left {left:?}; {shown:#?}");
}

#[test]
fn what_goes_and_what_stays_is_what_a_plain_model_says() {
    if let Some(seed) = number("PRUNE_SEED") {
        return check(seed);
    }
    (0..number("PRUNE_STATES").unwrap_or(300)).for_each(check);
}
