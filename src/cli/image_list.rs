//! `veneer image list`: every image of the store on a line.
//! It asks for no lock and looks into no image; what uses one is `veneer image inspect`'s to say.
//! The table is systemctl's; the field names of its JSON are part of the interface.

use super::args::ImageList;
use super::context::Context;
use super::json;
use super::table::{Cell, lay_out};
use super::time;
use crate::host::clock;
use crate::host::store::{StoreDir, check_access, read_sizes};
use crate::host::terminal::{Terminal, complain};
use crate::store::{Store, StoredImage};
use crate::version::{Standing, standings};
use anyhow::Result;
use serde::Serialize;
use std::collections::HashMap;
use std::mem::ManuallyDrop;

pub(super) fn run(context: &Context, args: &ImageList) -> Result<String> {
    let dir = StoreDir::below(&context.root);
    check_access(&dir)?;
    // To give back each of its pieces takes time, and the program ends here.
    let reading = ManuallyDrop::new(read_sizes(&dir));
    for problem in &reading.problems {
        complain(&format!("veneer: {problem}\n"));
    }
    let rows = ManuallyDrop::new(rows(&reading.store));
    match args.output.json() {
        Some(format) => json::print(&*rows, format),
        None => Ok(render(&rows, clock::now(), context.terminal)),
    }
}

/// One image as programs get it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    size: u64,
    allocated: u64,
    made: u64,
    pinned: bool,
    references: Vec<&'a str>,
    versions: Vec<String>,
    apps: Vec<VersionRow<'a>>,
}

/// A version of an app that an image is.
#[derive(Debug, Serialize)]
struct VersionRow<'a> {
    app: &'a str,
    version: u64,
    standing: Standing,
}

fn rows(store: &Store) -> Vec<Row<'_>> {
    let mut references: HashMap<&str, Vec<&str>> = HashMap::new();
    for record in &store.records {
        if let Some(image) = &record.image {
            references.entry(image.as_str()).or_default().push(&record.reference);
        }
    }
    let mut versions: HashMap<&str, Vec<VersionRow<'_>>> = HashMap::new();
    for app in &store.apps {
        let id = app.app.as_str();
        let standings: HashMap<u64, Standing> = standings(app, store.notes.histories.get(id)).into_iter().collect();
        for version in &app.versions {
            let standing = standings.get(&version.number).copied().unwrap_or(Standing::Kept);
            let row = VersionRow { app: id, version: version.number, standing };
            versions.entry(version.image.as_str()).or_default().push(row);
        }
    }
    let row = |image: &'_ StoredImage| {
        let apps = versions.remove(image.name.as_str()).unwrap_or_default();
        Row {
            name: "",
            size: image.size(),
            allocated: image.allocated(),
            made: image.made(),
            pinned: store.pins.contains_key(&image.name),
            references: references.remove(image.name.as_str()).unwrap_or_default(),
            versions: apps.iter().map(|row| format!("{} {}", row.app, row.version)).collect(),
            apps,
        }
    };
    let rows: Vec<Row<'_>> = store.images.iter().map(row).collect();
    rows.into_iter().zip(&store.images).map(|(row, image)| Row { name: &image.name, ..row }).collect()
}

fn render(rows: &[Row<'_>], now: u64, terminal: Terminal) -> String {
    if rows.is_empty() {
        return "there is no image in the store: veneer image convert makes one\n".into();
    }
    let cells: ManuallyDrop<Vec<Vec<Cell>>> = ManuallyDrop::new(rows.iter().map(|row| cells(row, now)).collect());
    lay_out(&["IMAGE", "ON DISK", "AGE", "PINNED", "MADE FOR"], &cells, terminal)
}

fn cells(row: &Row<'_>, now: u64) -> Vec<Cell> {
    let version = |row: &VersionRow<'_>| match row.standing {
        Standing::Kept => format!("{} {}", row.app, row.version),
        standing => format!("{} {} ({})", row.app, row.version, standing.words()),
    };
    let references = row.references.iter().map(|reference| (*reference).to_owned());
    let made_for: Vec<String> = references.chain(row.apps.iter().map(version)).collect();
    vec![
        short(row.name).into(),
        time::bytes(row.allocated).into(),
        time::largest(now.saturating_sub(row.made)).into(),
        if row.pinned { "yes" } else { "-" }.into(),
        if made_for.is_empty() { "-".to_owned() } else { made_for.join(", ") }.into(),
    ]
}

/// Twelve digits of a digest are enough to name it.
fn short(name: &str) -> &str {
    if crate::store::name::is_by_content(name) { &name[.."sha256-".len() + 12] } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::terminal::Colour;

    #[test]
    fn an_image_says_what_it_was_made_for() {
        let row = |name, references, apps| Row {
            name,
            size: 4096,
            allocated: 8192,
            made: 100,
            pinned: name == "a",
            references,
            versions: Vec::new(),
            apps,
        };
        let version = |version, standing| VersionRow { app: "one", version, standing };
        let versions = vec![version(2, Standing::OnTrial), version(1, Standing::Kept)];
        let digest = format!("sha256-{}", "ab".repeat(32));
        let rows = [row("a", vec![], vec![]), row(&digest, vec!["docker://r/a:1"], versions)];
        let text = render(&rows, 3700, Terminal { colour: Colour::Off, width: None });
        let wanted = "\
IMAGE                ON DISK  AGE  PINNED  MADE FOR
a                    8.0K     1h   yes     -
sha256-abababababab  8.0K     1h   -       docker://r/a:1, one 2 (current, on trial), one 1
";
        assert_eq!(text, wanted);
    }
}
