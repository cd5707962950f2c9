//! The images of apps made and switched: a source becomes an image of the store, the image a version of its app.
//! It decides nothing: `version::decide` does; the bytes are made by `conversion`.
//! What is written, and in which order, is docs/pull.md's: the history first, `current` last, each by a rename.

mod app;
mod maker;
mod mend;

pub use app::App;
pub use mend::{Mended, damaged, mend};

use super::interruption::Interruption;
use super::source;
use super::store::notes::record;
use super::store::{StoreDir, StoreLock};
use crate::image::publish::ImageName;
use crate::layout::{IMAGES, STORE, VERSIONS};
use crate::oci::document::Platform;
use crate::oci::source::Source;
use crate::origin::Origin;
use crate::version::{Decision, Goal, Make};
use anyhow::Result;
use maker::Maker;

/// What was made, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The image's name in the store.
    pub image: ImageName,
    /// Whether it was there already.
    pub kept: bool,
    /// What became of the app's versions; nothing if it was for none.
    pub decision: Option<Decision>,
    /// What is to be known besides.
    pub remarks: Vec<String>,
}

/// Makes an image, and has its app use it.
pub fn make(store: &StoreDir, make: &Make, interruption: &Interruption) -> Result<Made> {
    let maker = Maker::new(store, make, interruption);
    // Until the image is referred to, no prune may take it.
    let _held = StoreLock::share(store)?;
    let mut remarks = Vec::new();
    let (image, kept) = maker.image(&mut remarks)?;
    let decision = match make.goal() {
        Goal::Store => None,
        Goal::App(app, keep) => {
            Some(App::open(store, app)?.take(&make.origin.to_string(), &image, make.start(), keep)?)
        }
    };
    Ok(Made { image, kept, decision, remarks })
}

/// What would be done, a line each.
pub fn steps(store: &StoreDir, make: &Make) -> Result<Vec<String>> {
    let reference = make.origin.to_string();
    let known = record(store, &reference)?;
    let mut steps = vec![match known.as_ref().and_then(|known| known.image.as_ref()) {
        Some(image) => format!("use the image {image}, unless {reference} is another now"),
        None => format!("make an image of {reference} in {IMAGES}"),
    }];
    if let Goal::App(app, keep) = make.goal() {
        steps.push(format!("have {VERSIONS}/{app}/current lead to it, and keep {keep} versions"));
    }
    Ok(steps)
}

/// The configuration of a container image that was made into an image of the store; none if it has none.
pub fn image_config(store: &StoreDir, origin: &Origin) -> Result<Option<Vec<u8>>> {
    let source = match (origin, record(store, &origin.to_string())?) {
        (Origin::Local(source), _) => source.clone(),
        (_, Some(known)) => Source::Blobs { root: store.at(STORE), digest: known.manifest },
        (_, None) => return Ok(None),
    };
    Ok(source::config(&source, &Platform::of_this_machine())?)
}
