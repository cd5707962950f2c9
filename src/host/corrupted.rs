//! `veneer-verity corrupted`: a damaged block, found by the kernel, told in the journal of the app.
//! It does nothing about it: the kernel has refused the read already.
//! Run by udev for each event with `DM_VERITY_ERR_BLOCK_NR` (udev/60-veneer.rules).

use super::journal::{Entry, Journal, Weight};
use super::mark_store;
use crate::live::LiveSource;
use crate::message;
use crate::verity::corruption::Corruption;
use crate::verity::dm_message::app_of_device;

/// Says which image of which app is damaged where; false if the words mean nothing.
pub fn run(device: &str, words: &str, journal: &Journal) -> bool {
    let (Some(app), Some(found)) = (app_of_device(device), Corruption::parse(words)) else {
        return false;
    };
    // Without a mark the image is just being opened, and the one who opens it says its name.
    let source = mark_store::read(&app).ok().flatten().map(|mark| mark.source);
    let image = match source {
        Some(LiveSource::Image(image)) => Some(image),
        _ => None,
    };
    let path = image.as_ref().map(|image| image.file.path.as_str());
    let root_hash = image.as_ref().and_then(|image| image.shown.root_hash());
    let block = found.block().to_string();
    let text =
        format!("{app}: {} is damaged in {found}; whoever reads it gets an I/O error", path.unwrap_or("its image"));
    let entry = Entry { block: Some(&block), ..Entry::about(Weight::Error, message::CORRUPTED, &app) };
    entry.image(path).root_hash(root_hash.map(|hash| hash.as_str())).say(journal, &text);
    true
}
