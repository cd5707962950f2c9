//! What the layers above seem to hide, so that its bytes need not be written.
//! It may be wrong both ways and nothing breaks: bytes too many cost room, bytes too few are fetched after the replay.
//! Names are kept as 64-bit digests: a collision is one more way to be wrong.

use super::log::{Body, Log};
use crate::layer::path::LayerPath;
use std::collections::HashMap;

/// What is hidden at and below a name.
#[derive(Clone, Copy, Debug, Default)]
struct Hides {
    file: bool,
    below: bool,
}

/// The names that the layers so far have had their say about.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    names: HashMap<u64, Hides>,
}

impl Shadow {
    /// Whether a file of this name in a lower layer is hidden.
    pub(super) fn hides(&self, path: &LayerPath) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let bytes = path.as_bytes();
        let mut hash = START;
        let root = self.names.get(&hash).is_some_and(|hides| hides.below);
        root || (0..=bytes.len()).any(|at| {
            let hides = match bytes.get(at) {
                None => self.names.get(&hash).is_some_and(|hides| hides.file),
                Some(b'/') => self.names.get(&hash).is_some_and(|hides| hides.below),
                Some(_) => false,
            };
            hash = bytes.get(at).map_or(hash, |byte| step(hash, *byte));
            hides
        })
    }

    /// Adds what a layer said, for the layers below it.
    pub(super) fn add(&mut self, log: &Log, layer: u32) {
        for (_, op) in log.layer(layer) {
            let hash = op.path.as_bytes().iter().fold(START, |hash, byte| step(hash, *byte));
            let hides = self.names.entry(hash).or_default();
            match op.body {
                Body::Directory(_) | Body::AnyDirectory(_) => hides.file = true,
                Body::Opaque => hides.below = true,
                _ => *hides = Hides { file: true, below: true },
            }
        }
    }
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, as in `digest`, a byte at a time.
fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}
