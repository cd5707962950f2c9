//! The manifest beside an image: what it was made from and how, so that it can be made again, or left as it is.
//! It reads no file; what it says is believed for deciding whether to convert again, never for trusting an image.
//! Form: JSON; unknown keys of later versions are passed over.

use crate::root_hash::RootHash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What decides an image's bytes: with the same recipe it is not made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recipe {
    /// The digest of the source, `sha256:…`.
    pub source: String,
    /// `erofs` or `ext4`.
    pub format: String,
    /// The version of the layout within the format.
    pub layout_version: u32,
    /// Everything else that was chosen, by its name on the command line.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What was put in besides.
    #[serde(default)]
    pub injected: Vec<Injected>,
}

/// A file that was put into the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Injected {
    /// Its path in the image.
    pub target: String,
    /// What it holds, `sha256:…`; a link's target, as it is; that it is a directory.
    pub content: String,
    /// Its permissions, in octal.
    pub mode: String,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// How large things are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sizes {
    /// The image.
    pub image: u64,
    /// The file with its hash tree.
    pub tree: u64,
}

/// The manifest of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// What decides its bytes.
    pub recipe: Recipe,
    /// The digests of the layers it was merged from, the lowest first.
    #[serde(default)]
    pub layers: Vec<String>,
    /// The program that made it, with its version.
    pub tool: String,
    /// The root hash.
    pub root_hash: String,
    /// Sizes.
    pub sizes: Sizes,
}

/// What is on disk under an image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// The manifest's text.
    pub manifest: Vec<u8>,
    /// The text of the root hash.
    pub root_hash: Vec<u8>,
    /// Sizes.
    pub sizes: Sizes,
}

impl Manifest {
    /// The text of the file.
    pub fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// What is on disk, if it was made by this recipe and nothing of it is missing.
    pub fn of_same_recipe(disk: &OnDisk, recipe: &Recipe) -> Option<Self> {
        // Whatever is no manifest of ours is made anew.
        let manifest: Self = serde_json::from_slice(&disk.manifest).ok()?;
        let root_hash = RootHash::parse(std::str::from_utf8(&disk.root_hash).ok()?.trim_end()).ok()?;
        let whole = manifest.sizes == disk.sizes && manifest.root_hash == root_hash.as_str();
        (whole && manifest.recipe == *recipe).then_some(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "abababababababababababababababababababababababababababababababab";

    fn manifest() -> Manifest {
        let injected = Injected {
            target: "/sbin/vm-agent".into(),
            content: "sha256:12".into(),
            mode: "0755".into(),
            uid: 0,
            gid: 0,
        };
        let recipe = Recipe {
            source: "sha256:34".into(),
            format: "erofs".into(),
            layout_version: 1,
            options: BTreeMap::from([("equal-files".into(), "shared".into())]),
            injected: vec![injected],
        };
        Manifest {
            recipe,
            layers: vec!["sha256:56".into()],
            tool: "veneer 0.1.0".into(),
            root_hash: HASH.into(),
            sizes: Sizes { image: 8192, tree: 4096 },
        }
    }

    fn disk(manifest: &Manifest) -> OnDisk {
        OnDisk {
            manifest: manifest.to_text().expect("text").into_bytes(),
            root_hash: format!("{HASH}\n").into_bytes(),
            sizes: manifest.sizes,
        }
    }

    #[test]
    fn the_text_is_what_people_can_read() {
        let text = manifest().to_text().expect("text");
        assert!(
            text.starts_with("{\n  \"recipe\": {\n    \"source\": \"sha256:34\",\n    \"format\": \"erofs\",\n"),
            "{text}"
        );
        assert!(text.ends_with("  \"sizes\": {\n    \"image\": 8192,\n    \"tree\": 4096\n  }\n}\n"), "{text}");
    }

    #[test]
    fn an_image_is_kept_only_if_all_of_it_is_what_was_asked_for() {
        let (manifest, mut disk) = (manifest(), disk(&manifest()));
        assert_eq!(Manifest::of_same_recipe(&disk, &manifest.recipe), Some(manifest.clone()));
        let other = |change: fn(&mut Recipe)| {
            let mut recipe = manifest.recipe.clone();
            change(&mut recipe);
            Manifest::of_same_recipe(&disk, &recipe)
        };
        assert_eq!(other(|recipe| recipe.source.push('0')), None);
        assert_eq!(other(|recipe| recipe.layout_version += 1), None);
        assert_eq!(other(|recipe| recipe.options.clear()), None);
        assert_eq!(other(|recipe| recipe.injected.clear()), None);
        disk.sizes.image += 1;
        assert_eq!(Manifest::of_same_recipe(&disk, &manifest.recipe), None);
        disk.sizes.image -= 1;
        disk.root_hash = "0".repeat(64).into_bytes();
        assert_eq!(Manifest::of_same_recipe(&disk, &manifest.recipe), None);
        disk.manifest.truncate(100);
        assert_eq!(Manifest::of_same_recipe(&disk, &manifest.recipe), None);
    }
}
