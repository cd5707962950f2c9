//! What a prune prints: a line for each image, and for everything else that goes.
//! Pure; the field names of its JSON are part of the interface.
//! Sizes are those on the disk.

use super::verdict::{Fate, Item, Verdict};
use crate::cli::time::bytes;
use serde::Serialize;

/// One thing as programs get it.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    kind: &'static str,
    name: String,
    bytes: u64,
    keep: bool,
    reasons: Vec<&'a str>,
}

impl<'a> From<&'a Verdict> for Row<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let (kind, name) = match &verdict.item {
            Item::Image(name) => ("image", name.clone()),
            Item::Leftover(name) => ("leftover", name.clone()),
            Item::Version(app, number) => ("version", format!("{app}/{number}")),
            Item::Versions(app) => ("versions", app.clone()),
            Item::Record(reference) => ("record", reference.clone()),
            Item::Blob(hex) => ("blob", format!("sha256:{hex}")),
            Item::Piece(name) => ("piece", name.clone()),
            Item::Note(path) => ("note", path.clone()),
            Item::Trash(name) => ("trash", name.clone()),
        };
        let reasons = match &verdict.fate {
            Fate::Stays(reasons) => reasons.iter().map(String::as_str).collect(),
            Fate::Goes(why) => vec![*why],
        };
        Self { kind, name, bytes: verdict.bytes, keep: !verdict.goes(), reasons }
    }
}

/// A line for each image, whatever becomes of it, and for everything else that goes; what it comes to at the end.
pub fn lines(verdicts: &[Verdict]) -> String {
    let is_shown = |verdict: &&Verdict| verdict.goes() || matches!(verdict.item, Item::Image(_));
    let mut text: String = verdicts.iter().filter(is_shown).map(line).collect();
    let images = verdicts.iter().filter(|verdict| matches!(verdict.item, Item::Image(_)));
    let (mut all, mut going) = (0, 0);
    for image in images {
        all += 1;
        going += usize::from(image.goes());
    }
    text.push_str(&format!("{going} of {all} images would go, and {} with everything\n", bytes(going_bytes(verdicts))));
    text
}

/// Bytes of everything that goes.
pub fn going_bytes(verdicts: &[Verdict]) -> u64 {
    verdicts.iter().filter(|verdict| verdict.goes()).map(|verdict| verdict.bytes).sum()
}

/// One line.
pub fn line(verdict: &Verdict) -> String {
    let (word, why) = match &verdict.fate {
        Fate::Stays(reasons) => ("keep  ", reasons.join("; ")),
        Fate::Goes(why) => ("remove", (*why).to_owned()),
    };
    let size = if verdict.bytes > 0 { format!(" ({})", bytes(verdict.bytes)) } else { String::new() };
    format!("{word} {}{size}: {why}\n", verdict.item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_a_line_and_other_things_only_if_they_go() {
        let verdict = |item, bytes, fate| Verdict { item, files: Vec::new(), bytes, fate };
        let stays = |why: &[&str]| Fate::Stays(why.iter().map(|why| (*why).to_owned()).collect());
        let text = lines(&[
            verdict(Item::Image("a".into()), 2048, stays(&["pinned", "/etc/x:2"])),
            verdict(Item::Image("b".into()), 4096, Fate::Goes("nothing refers to it")),
            verdict(Item::Blob("12".into()), 1024, stays(&["x"])),
            verdict(Item::Trash("1-1".into()), 0, Fate::Goes("it was taken out before")),
        ]);
        let wanted = "keep   image a (2.0K): pinned; /etc/x:2\nremove image b (4.0K): nothing refers to it\n\
            remove trash 1-1: it was taken out before\n1 of 2 images would go, and 4.0K with everything\n";
        assert_eq!(text, wanted);
    }
}
