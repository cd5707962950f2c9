//! What the names in the directory of images come to: images with the files beside them, and what is left of others.
//! It sees names only; sizes and identities are put in by whoever has the files.
//! The endings are `verity::names`' and `image::publish`'s, by both conventions.

use std::collections::{BTreeMap, HashMap};

/// Endings of images.
const IMAGE: [&str; 2] = [".raw", ".app.img"];
/// Endings of the files beside an image, a longer one before one it ends in.
const BESIDE: [&str; 5] = [".roothash.p7s", ".roothash", ".manifest.json", ".verity", ".hash"];
/// Those of hash trees among them.
const TREE: [&str; 2] = [".verity", ".hash"];
/// Endings of names that last for a moment, unless their maker was killed (`image::publish::ImageName`).
const PASSING: [&str; 4] = [".new", ".raw.away", ".raw.link", ".lock"];

/// Files that go by one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The image's own; two if both conventions have one.
    pub images: Vec<String>,
    /// Those beside it.
    pub beside: Vec<String>,
}

/// A directory of images, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Images by their names.
    pub images: BTreeMap<String, Group>,
    /// Files beside images that are not there.
    pub orphans: BTreeMap<String, Vec<String>>,
    /// Hidden names of images in the making, by the image's name: somebody is at it, or was killed.
    pub passing: BTreeMap<String, Vec<String>>,
    /// What is not ours.
    pub foreign: Vec<String>,
}

impl Listing {
    /// Sorts names out.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        let mut listing = Self::default();
        // Most names are of an image that is known already.
        let mut groups: HashMap<String, Group> = HashMap::new();
        for name in names {
            match kind(&name) {
                Kind::Image(stem) => put(&mut groups, stem.len(), name, |group| &mut group.images),
                Kind::Beside(stem) => put(&mut groups, stem.len(), name, |group| &mut group.beside),
                Kind::Passing(stem) => listing.passing.entry(stem.to_owned()).or_default().push(name),
                Kind::Foreign => listing.foreign.push(name),
            }
        }
        listing.foreign.sort_unstable();
        let mut groups: Vec<(String, Group)> = groups.into_iter().collect();
        groups.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (stem, mut group) in groups {
            group.beside.sort_unstable();
            group.images.sort_unstable();
            if !group.images.is_empty() {
                listing.images.insert(stem, group);
            } else if listing.is_beside_foreign(&stem) {
                listing.foreign.append(&mut group.beside);
            } else {
                listing.orphans.insert(stem, group.beside);
            }
        }
        listing
    }

    /// Whether `hello.verity` stands beside `hello.erofs`, say: an image under a name that is not ours to know.
    fn is_beside_foreign(&self, stem: &str) -> bool {
        let at = self.foreign.partition_point(|name| name.as_str() < stem);
        let with_stem = self.foreign[at..].iter().take_while(|name| name.starts_with(stem));
        with_stem.into_iter().any(|name| name.len() == stem.len() || name[stem.len()..].starts_with('.'))
    }
}

/// Puts a file with those of its stem, its first `stem` bytes.
fn put(groups: &mut HashMap<String, Group>, stem: usize, name: String, files: fn(&mut Group) -> &mut Vec<String>) {
    match groups.get_mut(&name[..stem]) {
        Some(group) => files(group).push(name),
        None => files(groups.entry(name[..stem].to_owned()).or_default()).push(name),
    }
}

/// Whether a file beside an image is its hash tree.
pub fn is_hash_tree(name: &str) -> bool {
    TREE.iter().any(|ending| name.ends_with(ending))
}

enum Kind<'a> {
    Image(&'a str),
    Beside(&'a str),
    Passing(&'a str),
    Foreign,
}

fn kind(name: &str) -> Kind<'_> {
    if let Some(hidden) = name.strip_prefix('.') {
        return passing(hidden).map_or(Kind::Foreign, Kind::Passing);
    }
    let stem =
        |endings: &[&str]| endings.iter().find_map(|ending| name.strip_suffix(ending)).filter(|stem| !stem.is_empty());
    match (stem(&IMAGE), stem(&BESIDE)) {
        (Some(stem), _) => Kind::Image(stem),
        (None, Some(stem)) => Kind::Beside(stem),
        (None, None) => Kind::Foreign,
    }
}

/// The image that a hidden name is of.
fn passing(hidden: &str) -> Option<&str> {
    let stem = PASSING.iter().find_map(|ending| hidden.strip_suffix(ending))?;
    if !hidden.ends_with(".new") {
        return Some(stem).filter(|stem| !stem.is_empty());
    }
    IMAGE.iter().chain(&BESIDE).find_map(|ending| stem.strip_suffix(ending)).filter(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::publish::{ImageName, Part};

    fn listing(names: &[&str]) -> Listing {
        Listing::of(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn files_go_by_the_name_of_their_image_in_both_conventions() {
        let found = listing(&["a.verity", "a.raw", "b.app.img", "b.hash", "a.roothash.p7s", "a.roothash"]);
        assert_eq!(found.images["a"].images, ["a.raw"]);
        assert_eq!(found.images["a"].beside, ["a.roothash", "a.roothash.p7s", "a.verity"]);
        assert_eq!(
            (&found.images["b"].images[0], &found.images["b"].beside[0]),
            (&"b.app.img".into(), &"b.hash".into())
        );
        assert!(found.orphans.is_empty() && found.passing.is_empty() && found.foreign.is_empty());
    }

    #[test]
    fn what_a_maker_leaves_is_known_and_nothing_else_that_is_hidden() {
        let name = ImageName::parse("a.b").expect("good name");
        for left in name.leftovers().iter().chain([&name.lock(), &name.passing(Part::Signature)]) {
            let found = listing(&[left]);
            assert_eq!(found.passing["a.b"], std::slice::from_ref(left), "{left}");
        }
        for other in [".hidden", "..new", ".a.new", ".raw.new", ".lock", ".a.raw.swp", ".a.txt.new"] {
            assert_eq!(listing(&[other]).foreign, [other], "{other}");
        }
    }

    #[test]
    fn files_beside_no_image_are_left_over_unless_the_image_is_one_we_do_not_know() {
        let found = listing(&["a.verity", "b.erofs", "b.verity", "c", "c.roothash", "bb.hash", "README", ".raw"]);
        assert_eq!(found.orphans.keys().collect::<Vec<_>>(), ["a", "bb"]);
        assert_eq!(found.foreign, [".raw", "README", "b.erofs", "c", "b.verity", "c.roothash"]);
    }
}
