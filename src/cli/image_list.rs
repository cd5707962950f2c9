//! `veneer image list`: every image of the store on a line.
//! It asks for no lock and looks into no image; what uses one is `veneer image inspect`'s to say.
//! The table is systemctl's; the field names of its JSON are part of the interface.

use super::args::ImageList;
use super::context::Context;
use super::json;
use super::table::{Cell, lay_out};
use super::time;
use crate::host::clock;
use crate::host::store::{StoreDir, read};
use crate::host::terminal::{Terminal, complain};
use crate::store::{Store, StoredImage};
use anyhow::Result;
use serde::Serialize;
use std::collections::HashMap;

pub(super) fn run(context: &Context, args: &ImageList) -> Result<String> {
    let reading = read(&StoreDir::below(&context.root));
    for problem in &reading.problems {
        complain(&format!("veneer: {problem}\n"));
    }
    let rows = rows(&reading.store);
    match args.output.json() {
        Some(format) => json::print(&rows, format),
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
}

fn rows(store: &Store) -> Vec<Row<'_>> {
    let mut references: HashMap<&str, Vec<&str>> = HashMap::new();
    for record in &store.records {
        if let Some(image) = &record.image {
            references.entry(image.as_str()).or_default().push(&record.reference);
        }
    }
    let mut versions: HashMap<&str, Vec<String>> = HashMap::new();
    for app in &store.apps {
        for version in &app.versions {
            versions.entry(version.image.as_str()).or_default().push(format!("{} {}", app.app, version.number));
        }
    }
    let row = |image: &'_ StoredImage| Row {
        name: "",
        size: image.size(),
        allocated: image.allocated(),
        made: image.made(),
        pinned: store.pins.contains_key(&image.name),
        references: references.remove(image.name.as_str()).unwrap_or_default(),
        versions: versions.remove(image.name.as_str()).unwrap_or_default(),
    };
    let rows: Vec<Row<'_>> = store.images.iter().map(row).collect();
    rows.into_iter().zip(&store.images).map(|(row, image)| Row { name: &image.name, ..row }).collect()
}

fn render(rows: &[Row<'_>], now: u64, terminal: Terminal) -> String {
    if rows.is_empty() {
        return "there is no image in the store: veneer image convert makes one\n".into();
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, now)).collect();
    lay_out(&["IMAGE", "ON DISK", "AGE", "PINNED", "MADE FOR"], &cells, terminal)
}

fn cells(row: &Row<'_>, now: u64) -> Vec<Cell> {
    let made_for: Vec<&str> = row.references.iter().copied().chain(row.versions.iter().map(String::as_str)).collect();
    vec![
        short(row.name).into(),
        time::bytes(row.allocated).into(),
        time::span(now.saturating_sub(row.made)).split(' ').next().unwrap_or_default().into(),
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
        let row = |name, references, versions| Row {
            name,
            size: 4096,
            allocated: 8192,
            made: 100,
            pinned: name == "a",
            references,
            versions,
        };
        let digest = format!("sha256-{}", "ab".repeat(32));
        let rows = [row("a", vec![], vec![]), row(&digest, vec!["docker://r/a:1"], vec!["one 2".into()])];
        let text = render(&rows, 3700, Terminal { colour: Colour::Off, width: None });
        let wanted = "\
IMAGE                ON DISK  AGE  PINNED  MADE FOR
a                    8.0K     1h   yes     -
sha256-abababababab  8.0K     1h   -       docker://r/a:1, one 2
";
        assert_eq!(text, wanted);
    }
}
