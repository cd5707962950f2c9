//! The versions of an app with `oci =`: numbered links to images, and `current`, which leads to one of these images.
//! It reads no link; a link's target comes in as text.
//! Form: docs/store.md, "apps".

use crate::image::publish::ImageName;
use crate::name::AppId;

/// The link to the version that is started next.
pub const CURRENT: &str = "current";
/// What the target of each link begins with: from `apps/ID` to `images`.
const UP: &str = "../../images/";

/// One version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number; a newer one has a greater number.
    pub number: u64,
    /// Its image.
    pub image: ImageName,
}

/// The versions of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The app.
    pub app: AppId,
    /// The image that `current` leads to; none before the first conversion.
    pub current: Option<ImageName>,
    /// All versions, the oldest first.
    pub versions: Vec<Version>,
}

/// The target of a link to an image.
pub fn target(image: &ImageName) -> String {
    format!("{UP}{image}.raw")
}

/// The image that a link leads to; the error is a sentence.
pub fn image_of(target: &str) -> Result<ImageName, String> {
    let name = target.strip_prefix(UP).and_then(|file| file.strip_suffix(".raw"));
    name.ok_or_else(|| format!("it leads to {target:?}, which is no image of the store")).and_then(ImageName::parse)
}

impl Versions {
    /// Sorts the links of an app's directory out; names with a dot before are on their way to another.
    pub fn of(app: AppId, links: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut all = Self { app, current: None, versions: Vec::new() };
        for (name, target) in links.into_iter().filter(|(name, _)| !name.starts_with('.')) {
            let image = image_of(&target).map_err(|said| format!("{name}: {said}"))?;
            match name.parse() {
                _ if name == CURRENT => all.current = Some(image),
                Ok(number) => all.versions.push(Version { number, image }),
                Err(_) => return Err(format!("{name} is neither {CURRENT:?} nor a number")),
            }
        }
        all.versions.sort_unstable_by_key(|version| version.number);
        Ok(all)
    }

    /// The versions to keep: as many of the newest as wanted, the current one among them whatever its number.
    pub fn kept(&self, most: usize) -> Vec<&Version> {
        let mut kept: Vec<&Version> = Vec::new();
        let current = self.versions.iter().rev().find(|version| Some(&version.image) == self.current.as_ref());
        kept.extend(current);
        let others = self.versions.iter().rev().filter(|version| current != Some(version));
        kept.extend(others.take(most.max(1) - kept.len()));
        kept.sort_unstable_by_key(|version| version.number);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(links: &[(&str, &str)]) -> Result<Versions, String> {
        let links = links.iter().map(|(name, image)| ((*name).to_owned(), format!("../../images/{image}.raw")));
        Versions::of(AppId::parse("a").expect("good id"), links)
    }

    #[test]
    fn links_are_sorted_out_by_number() {
        let found = versions(&[("10", "z"), ("9", "y"), ("current", "y"), (".current.new", "z")]).expect("good links");
        assert_eq!(found.versions.iter().map(|version| version.number).collect::<Vec<_>>(), [9, 10]);
        assert_eq!(found.current.as_ref().map(ImageName::as_str), Some("y"));
        let said = versions(&[("latest", "y")]).expect_err("no number");
        assert_eq!(said, "latest is neither \"current\" nor a number");
    }

    #[test]
    fn the_newest_are_kept_and_the_current_one_always() {
        let kept = |current, most| {
            let found = versions(&[("1", "a"), ("2", "b"), ("3", "c"), ("4", "d"), ("current", current)]);
            let found = found.expect("good links");
            found.kept(most).iter().map(|version| version.number).collect::<Vec<_>>()
        };
        assert_eq!(kept("d", 2), [3, 4]);
        assert_eq!(kept("a", 2), [1, 4]);
        assert_eq!(kept("b", 1), [2]);
        assert_eq!(kept("b", 0), [2]);
        assert_eq!(kept("gone", 3), [2, 3, 4]);
        assert_eq!(kept("d", 9), [1, 2, 3, 4]);
    }

    #[test]
    fn a_link_leads_to_an_image_of_the_store_or_is_refused() {
        let name = ImageName::parse("sha256-12").expect("good name");
        assert_eq!(image_of(&target(&name)), Ok(name));
        for bad in ["/etc/passwd", "../../images/../x.raw", "../../images/.raw", "../../images/a"] {
            assert!(image_of(bad).is_err(), "{bad}");
        }
    }
}
