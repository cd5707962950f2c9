//! How a finished image gets its names: which files there are, and in which order they appear.
//! It touches none of them; `host::publish` does what is decided here.
//! At every moment, a power cut included, the image is whole under its name, or there is none: the image itself
//! goes first and comes last. While it is replaced its name is a link to nothing, which `verity` refuses, so that no
//! fallback steps in.

use std::fmt;

/// The name of an image: that of its file without `.raw`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageName(Box<str>);

/// What `.NAME.manifest.json.new` leaves of a file name's 255 bytes.
const NAME_MAX: usize = 255 - "..manifest.json.new".len();

impl ImageName {
    /// Checks a name; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > NAME_MAX {
            return Err(format!("an image's name has 1 to {NAME_MAX} bytes, this one has {}", text.len()));
        }
        if text.starts_with('.') || text.contains(['/', '\0']) {
            return Err(format!("an image's name has no '/' and does not begin with '.', unlike {text:?}"));
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of one of its files.
    pub fn of(&self, part: Part) -> String {
        format!("{}.{}", self.0, part.ending())
    }

    /// The name of a new file before it takes its place.
    pub fn passing(&self, part: Part) -> String {
        format!(".{}.{}.new", self.0, part.ending())
    }

    /// What the image's name leads to while it is replaced: nothing.
    pub fn nothing(&self) -> String {
        format!(".{}.raw.away", self.0)
    }

    /// The name of that link before it takes its place.
    pub fn passing_link(&self) -> String {
        format!(".{}.raw.link", self.0)
    }

    /// The file that is locked while the image is made.
    pub fn lock(&self) -> String {
        format!(".{}.lock", self.0)
    }

    /// What a maker that was killed can have left.
    pub fn leftovers(&self) -> Vec<String> {
        let passing = Part::ALL.map(|part| self.passing(part));
        passing.into_iter().chain([self.nothing(), self.passing_link()]).collect()
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The files of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The image.
    Raw,
    /// Its hash tree.
    Tree,
    /// Its root hash.
    RootHash,
    /// Its manifest.
    Manifest,
    /// The signature of its root hash.
    Signature,
}

impl Part {
    /// All of them, the image first.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Tree, Self::RootHash, Self::Manifest, Self::Signature];

    /// What its name has behind the image's.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Tree => "verity",
            Self::RootHash => "roothash",
            Self::Manifest => "manifest.json",
            Self::Signature => "roothash.p7s",
        }
    }
}

/// One step of giving a new image its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give a file a hidden name: if there is no room for names, it shows before anything has changed.
    Stage(Part),
    /// Put a link to nothing in the place of the image.
    Hide,
    /// Remove a file of the old image.
    Remove(Part),
    /// Give a file its name, in the place of one that has it.
    Name(Part),
    /// Have the directory on the disk as it is now.
    Sync,
}

/// Whether there is something under the image's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// No image.
    Nothing,
    /// An image, or what is left of one.
    Something,
}

/// The steps, in order; those of a signature are nothing where the new image has none.
pub fn steps(before: Before) -> Vec<Step> {
    let staged = [Part::Tree, Part::RootHash, Part::Manifest, Part::Signature, Part::Raw].map(Step::Stage);
    let away: &[Step] = match before {
        Before::Nothing => &[],
        Before::Something => &[Step::Hide, Step::Sync],
    };
    // A signature is of a root hash: an old one is nobody's, even where the image itself is gone.
    let unsigned = &[Step::Remove(Part::Signature)][..];
    let beside = [Part::Tree, Part::RootHash, Part::Manifest, Part::Signature].map(Step::Name);
    [&staged, away, unsigned, &beside, &[Step::Sync, Step::Name(Part::Raw), Step::Sync]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether all files under the name belong together, or there is no image.
    fn whole(files: &[(Part, u8)]) -> bool {
        let raw = files.iter().find(|(part, _)| *part == Part::Raw);
        raw.is_none_or(|(_, age)| {
            let rest = [Part::Tree, Part::RootHash, Part::Manifest];
            rest.iter().all(|part| files.contains(&(*part, *age)))
                && files.iter().all(|(part, other)| *part != Part::Signature || other == age)
        })
    }

    /// Every state a disk can be in when the power goes: any of the changes since the last sync, or none.
    #[test]
    fn an_image_is_whole_or_absent_after_every_power_cut() {
        let old: Vec<_> = Part::ALL.map(|part| (part, 1)).to_vec();
        let parts = [Part::Tree, Part::Signature].map(|part| (part, 1)).to_vec();
        for (before, files) in [(Before::Something, old), (Before::Nothing, Vec::new()), (Before::Nothing, parts)] {
            let mut durable = files;
            let mut pending: Vec<Step> = Vec::new();
            for step in steps(before) {
                if step == Step::Sync {
                    for step in pending.drain(..) {
                        apply(&mut durable, step);
                    }
                    continue;
                }
                pending.push(step);
                for subset in 0..1u32 << pending.len() {
                    let mut files = durable.clone();
                    let chosen = pending.iter().enumerate().filter(|(index, _)| subset >> index & 1 == 1);
                    chosen.for_each(|(_, step)| apply(&mut files, *step));
                    assert!(whole(&files), "{files:?}");
                }
            }
            assert!(pending.is_empty() && whole(&durable) && durable.contains(&(Part::Raw, 2)));
        }
    }

    fn apply(files: &mut Vec<(Part, u8)>, step: Step) {
        let (part, new) = match step {
            Step::Hide => (Part::Raw, None),
            Step::Remove(part) => (part, None),
            Step::Name(part) => (part, Some(2)),
            Step::Stage(_) | Step::Sync => return,
        };
        files.retain(|(other, _)| *other != part);
        files.extend(new.map(|age| (part, age)));
    }

    #[test]
    fn names_are_those_that_verity_looks_for() {
        let name = ImageName::parse("hello").expect("good name");
        let beside = crate::verity::names::SideNames::of(&name.of(Part::Raw));
        assert_eq!(name.of(Part::Raw), "hello.raw");
        assert_eq!(name.of(Part::Tree), beside.tree[0]);
        assert_eq!(name.of(Part::RootHash), beside.root_hash);
        assert_eq!(name.of(Part::Signature), beside.signature);
        assert_eq!(name.of(Part::Manifest), beside.manifest);
        assert_eq!(name.leftovers().len(), 7);
        for bad in ["", ".", ".a", "a/b", &"x".repeat(NAME_MAX + 1)] {
            assert!(ImageName::parse(bad).is_err(), "{bad}");
        }
        assert!(name.passing(Part::Manifest).len() - "hello".len() + NAME_MAX == 255);
    }
}
