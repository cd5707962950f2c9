//! Reads the marks of what is up, for the generator and for `veneer`.
//! It writes none: `veneer-verity` does, and takes them away.
//! A mark that cannot be read is skipped: it is our own file, written whole, and an app must not lose its boot over it.

use crate::generate::Live;
use crate::layout::LIVE;
use crate::live::LiveMark;
use std::fs;
use std::path::Path;

/// Every mark below a root, in the order of ids.
pub fn read_all(root: &Path) -> Vec<LiveMark> {
    let dir = root.join(LIVE.trim_start_matches('/'));
    // No directory: nothing is up.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut marks: Vec<LiveMark> = texts.filter_map(|text| LiveMark::parse(&text).ok()).collect();
    marks.sort_by(|a, b| a.id.cmp(&b.id));
    marks
}

/// What the generator needs of them.
pub fn read_units(root: &Path) -> Vec<Live> {
    read_all(root).into_iter().map(|mark| Live { id: mark.id, files: mark.files }).collect()
}
