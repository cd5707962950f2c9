//! The names that images have in the store by their content.
//! It looks at no image; whether one is there is the disk's to say.
//! An image made for a container reference is named by its recipe: equal recipes make equal bytes (docs/convert.md, "The cache").

use crate::image::manifest::Recipe;
use crate::image::publish::ImageName;
use crate::layer::digest::Digest;

/// How the name of an image begins that is named by its content.
pub const BY_CONTENT: &str = "sha256-";

/// The name of the image that a recipe makes.
pub fn by_content(recipe: &Recipe) -> serde_json::Result<ImageName> {
    // Field by field in the order of the struct, maps sorted: the same recipe gives the same text.
    let digest = Digest::of(&serde_json::to_vec(recipe)?);
    let name = ImageName::parse(&format!("{BY_CONTENT}{}", digest.hex()));
    Ok(name.unwrap_or_else(|_| unreachable!("{digest} makes a clean name")))
}

/// Whether an image goes by its content, and so was made for a reference.
pub fn is_by_content(name: &str) -> bool {
    name.strip_prefix(BY_CONTENT).is_some_and(|hex| Digest::parse(&format!("sha256:{hex}")).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_name_follows_from_everything_that_decides_the_bytes() {
        let plain = Recipe {
            source: "sha256:12".into(),
            format: "erofs".into(),
            layout_version: 1,
            options: BTreeMap::new(),
            injected: Vec::new(),
        };
        let name = |recipe: &Recipe| by_content(recipe).expect("text").to_string();
        assert_eq!(name(&plain), name(&plain.clone()));
        assert!(is_by_content(&name(&plain)) && !is_by_content("hello") && !is_by_content("sha256-12"));
        let mut other = plain.clone();
        other.options.insert("deduplicate".into(), "yes".into());
        assert_ne!(name(&plain), name(&other));
        other = Recipe { layout_version: 2, ..plain.clone() };
        assert_ne!(name(&plain), name(&other));
    }
}
