//! What a source is, in a number: the seed of all that an image must have and that the layers do not say (UUID, salt).
//! It is no digest of the tree: it must be known before the first byte is written.
//! Decided in docs/convert.md: the same for all forms of one container image, and one and the same for everything else.

use super::image::Image;
use crate::image::identity::Seed;
use sha2::{Digest as _, Sha256};

/// What the seeds of this version begin with; another rule gets another word.
const IMAGE: &[u8] = b"veneer image 1\n";
const OTHER: &[u8] = b"veneer tree 1\n";

/// A container image's: from its layers' digests after decompression, which a registry, a layout, an archive and
/// `docker save` all have, whatever they compress with.
pub fn seed_of_image(image: &Image) -> Seed {
    let mut hasher = Sha256::new();
    hasher.update(IMAGE);
    for layer in &image.layers {
        hasher.update(layer.diff_id.as_str().as_bytes());
        hasher.update(b"\n");
    }
    Seed(hasher.finalize().into())
}

/// Everything else's: what a tar or a directory has is only known when all of it is read.
pub fn seed_of_anything() -> Seed {
    Seed(Sha256::digest(OTHER).into())
}
