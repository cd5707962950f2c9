//! Reads the marks of what is up, and which apps have sessions, for the generator and for `veneer`.
//! It writes none: `veneer-verity` does, and takes them away.
//! A mark that cannot be read is skipped: it is our own file, written whole, and an app must not lose its boot over it.

use crate::generate::Live;
use crate::layout::{LIVE, SESSIONS};
use crate::live::LiveMark;
use crate::name::AppId;
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
    let marks = read_all(root).into_iter();
    let mut live: Vec<Live> = marks.map(|mark| Live { id: mark.id, files: mark.files, has_sessions: false }).collect();
    let dir = root.join(SESSIONS.trim_start_matches('/'));
    // No directory: there are no sessions.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| AppId::parse(name).ok()) else { continue };
        match live.iter_mut().find(|live| live.id == id) {
            Some(live) => live.has_sessions = true,
            None => live.push(Live { id, files: Vec::new(), has_sessions: true }),
        }
    }
    live.sort_by(|a, b| a.id.cmp(&b.id));
    live
}
