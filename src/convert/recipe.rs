//! What decides an image's bytes, as its manifest has it, and the seed that follows from it.
//! It reads nothing: the digests come from whoever opened the source and the files to inject.
//! Rules: docs/convert.md, "The cache". What only bounds the work (limits, threads) is no part of it.

use super::spec::Spec;
use crate::image::identity::Seed;
use crate::image::manifest::{Injected, Recipe};
use crate::layer::digest::Digest;
use crate::merge::{Boot, Existing, MountPoints};
use std::collections::BTreeMap;

/// What a source is called in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By its digest: the same again is not converted again.
    By(Digest),
    /// By nothing but its kind: what is in it is only known when it has been read.
    Unknown(&'static str),
}

impl Named {
    fn text(&self) -> &str {
        match self {
            Self::By(digest) => digest.as_str(),
            Self::Unknown(kind) => kind,
        }
    }
}

/// The recipe of what is asked for; a compressed image's bytes depend on the version of `mkfs.erofs` too.
pub fn recipe(spec: &Spec, source: &Named, injected: Vec<Injected>, mkfs: Option<&str>) -> Recipe {
    let mut options = BTreeMap::new();
    let mut say = |key: &str, value: String| options.insert(key.to_owned(), value);
    if spec.mount_points == MountPoints::Left {
        say("no-mount-points", "yes".into());
    }
    if spec.existing == Existing::Replaced && !injected.is_empty() {
        say("replace", "yes".into());
    }
    if let (Some(compression), Some(version)) = (&spec.compression, mkfs) {
        say("compress", compression.to_string());
        say("mkfs.erofs", version.to_owned());
    }
    if spec.boot == Boot::Made {
        say("bootable", "yes".into());
    }
    spec.form.options().into_iter().for_each(|(key, value)| drop(say(key, value)));
    Recipe {
        source: source.text().to_owned(),
        format: spec.form.name().to_owned(),
        layout_version: spec.form.layout_version(),
        options,
        injected,
    }
}

/// The seed of what comes of a source by a recipe: images with other bytes get other UUIDs.
pub fn seed(source: Seed, recipe: &Recipe) -> Seed {
    let Recipe { source: _, format, layout_version, options, injected } = recipe;
    let mut text = format!("{format} {layout_version}\n");
    for (key, value) in options {
        text.push_str(&format!("{key}={value}\n"));
    }
    for Injected { target, content, mode, uid, gid } in injected {
        text.push_str(&format!("{target}\0{content} {mode} {uid} {gid}\n"));
    }
    source.with(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::spec::Arguments;
    use super::*;
    use clap::Parser as _;

    fn of(line: &str) -> Recipe {
        let words = std::iter::once("veneer-convert").chain(line.split_whitespace());
        let spec = Arguments::try_parse_from(words).and_then(Spec::try_from).expect(line);
        recipe(&spec, &Named::By(Digest::of(b"")), Vec::new(), Some("1.8.6"))
    }

    #[test]
    fn what_changes_bytes_changes_recipe_and_seed_and_nothing_else_does() {
        let plain = "oci:/a --output x";
        let lines = [
            plain,
            "oci:/a --output x --deduplicate",
            "oci:/a --output x --no-mount-points",
            "oci:/a --output x --compress lz4",
            "oci:/a --output x --compress zstd,3",
            "oci:/a --output x --bootable",
            "oci:/a --output x --format ext4",
            "oci:/a --output x --format ext4 --size 1G",
            "oci:/a --output x --format ext4 --size 1G --journal none",
        ];
        let mut seeds: Vec<[u8; 32]> = lines.map(|line| seed(Seed([0; 32]), &of(line)).0).to_vec();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), lines.len());
        for same in [
            "oci:/b --output y",
            "oci:/a --output x --one-thread --max-size 1G --max-entries 9 --replace --disk /d --key k --certificate c",
        ] {
            assert_eq!(of(same), of(plain), "{same}");
        }
        let mut other = of(plain);
        other.source = "sha256:another form of the same image".into();
        assert_eq!(seed(Seed([0; 32]), &other), seed(Seed([0; 32]), &of(plain)));
    }
}
