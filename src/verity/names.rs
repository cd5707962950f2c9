//! The names of images and of the files beside them, by both conventions.
//! It looks at no disk: it gives names in the order they are to be tried.
//! systemd's are in systemd.exec(5) (`RootHash=`, `RootVerity=`, `RootHashSignature=`); the app store's are `ID.app.img`, `ID.hash`.

use crate::app::ImagePlace;
use crate::path::AbsPath;

/// Endings of an image that is named without a path, in the order they are tried.
const ENDINGS: [&str; 2] = ["raw", "app.img"];

/// Where an image may be, in the order it is looked for.
pub fn candidates(place: &ImagePlace) -> Vec<AbsPath> {
    match place {
        ImagePlace::At(path) => vec![path.clone()],
        ImagePlace::Made(making) => vec![making.current.clone()],
        ImagePlace::Named { name, roots } => {
            roots.iter().flat_map(|root| ENDINGS.map(|ending| root.join(&format!("{name}.{ending}")))).collect()
        }
    }
}

/// The names of the files beside an image: the likelier convention first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideNames {
    /// The hash tree.
    pub tree: [String; 2],
    /// The root hash.
    pub root_hash: String,
    /// Its signature.
    pub signature: String,
    /// What it was made from, if we made it.
    pub manifest: String,
}

impl SideNames {
    /// The names beside an image with this file name.
    pub fn of(image: &str) -> Self {
        let (stem, first, second) = match image.strip_suffix(".app.img") {
            Some(stem) => (stem, "hash", "verity"),
            None => (without_ending(image), "verity", "hash"),
        };
        Self {
            tree: [format!("{stem}.{first}"), format!("{stem}.{second}")],
            root_hash: format!("{stem}.roothash"),
            signature: format!("{stem}.roothash.p7s"),
            manifest: format!("{stem}.manifest.json"),
        }
    }
}

fn without_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_searched_in_order_and_each_for_both_endings() {
        let root = |text| AbsPath::parse(text).expect("good path");
        let place = ImagePlace::Named { name: "a".into(), roots: vec![root("/s"), root("/t")] };
        let found: Vec<_> = candidates(&place).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["/s/a.raw", "/s/a.app.img", "/t/a.raw", "/t/a.app.img"]);
        assert_eq!(candidates(&ImagePlace::At(root("/x"))), [root("/x")]);
    }

    #[test]
    fn side_files_follow_the_images_convention_first() {
        let names = |image| {
            let names = SideNames::of(image);
            [names.tree[0].clone(), names.tree[1].clone(), names.root_hash, names.signature]
        };
        assert_eq!(names("a.raw"), ["a.verity", "a.hash", "a.roothash", "a.roothash.p7s"]);
        assert_eq!(names("a.app.img"), ["a.hash", "a.verity", "a.roothash", "a.roothash.p7s"]);
        assert_eq!(names("a.b.erofs")[0], "a.b.verity");
        assert_eq!(names("plain")[0], "plain.verity");
    }
}
