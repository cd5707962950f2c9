//! What `veneer image inspect` prints: what an image was made from, and the sizes of its files.
//! Pure; the field names of its JSON are part of the interface.
//! The look is that of `systemctl status`: right-aligned names, a table for the files.

use super::style::Style;
use super::table::{Cell, lay_out};
use super::time;
use crate::host::terminal::Terminal;
use crate::image::manifest::Manifest;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is known of an image.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    /// Its path.
    pub(super) image: &'a str,
    /// Its root hash, as it stands beside it.
    pub(super) root_hash: Option<&'a str>,
    /// What it was made from.
    pub(super) manifest: Option<&'a Manifest>,
    /// What uses it, as a prune would have it; none for an image outside the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) used_by: Option<Vec<String>>,
    /// What was resolved to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<Resolved>,
    /// The image, its hash tree, its signature.
    pub(super) files: Vec<FileRow>,
}

/// A reference that led to an image.
#[derive(Debug, Serialize)]
pub(super) struct Resolved {
    pub(super) reference: String,
    /// The digest of the manifest it led to.
    pub(super) manifest: String,
    /// Seconds since 1970.
    pub(super) when: u64,
    pub(super) labels: BTreeMap<String, String>,
}

/// A file of an image.
#[derive(Debug, Serialize)]
pub(super) struct FileRow {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) allocated: u64,
}

/// Columns of the names on the left.
const NAMES: usize = 10;

pub(super) fn render(shown: &Shown<'_>, terminal: Terminal) -> String {
    let mut text = Style::Bold.paint(terminal.colour, shown.image) + "\n";
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:>NAMES$}: {value}\n"));
    line("Root hash", shown.root_hash.unwrap_or("none beside it"));
    match shown.manifest {
        Some(manifest) => made(manifest, &mut line),
        None => line("Manifest", "none: not made by veneer-convert"),
    }
    for resolved in &shown.references {
        line("Made for", &resolved.reference);
        line("Resolved", &format!("{}, {}", resolved.manifest, time::date(resolved.when)));
        resolved.labels.iter().for_each(|(key, value)| line("Label", &format!("{key}={}", value.escape_debug())));
    }
    match shown.used_by.as_deref() {
        Some([]) => line("Used by", "nothing: a prune removes it"),
        Some(users) => users.iter().for_each(|user| line("Used by", user)),
        None => {}
    }
    let rows: Vec<Vec<Cell>> = shown.files.iter().map(cells).collect();
    text + "\n" + &lay_out(&["FILE", "SIZE", "ON DISK"], &rows, terminal)
}

fn made(manifest: &Manifest, line: &mut impl FnMut(&str, &str)) {
    let recipe = &manifest.recipe;
    line("Format", &format!("{}, layout {}", recipe.format, recipe.layout_version));
    line("Source", &recipe.source);
    for (number, layer) in (1..).zip(&manifest.layers) {
        line(&format!("Layer {number}"), layer);
    }
    for (key, value) in &recipe.options {
        line("Option", &format!("{key}={value}"));
    }
    for injected in &recipe.injected {
        line("Injected", &format!("{} {} {}", injected.target, injected.mode, injected.content));
    }
    line("Made by", &manifest.tool);
}

fn cells(file: &FileRow) -> Vec<Cell> {
    vec![file.path.clone().into(), time::bytes(file.size).into(), time::bytes(file.allocated).into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::terminal::Colour;
    use crate::image::manifest::{Injected, Recipe, Sizes};

    #[test]
    fn an_image_is_shown_with_its_recipe_and_sizes() {
        let injected =
            Injected { target: "/sbin/a".into(), content: "sha256:34".into(), mode: "0755".into(), uid: 0, gid: 0 };
        let recipe = Recipe {
            source: "sha256:12".into(),
            format: "ext4".into(),
            layout_version: 1,
            options: BTreeMap::from([("size".into(), "exact".into())]),
            injected: vec![injected],
        };
        let sizes = Sizes { image: 8192, tree: 4096 };
        let manifest =
            Manifest { recipe, layers: vec!["sha256:56".into()], tool: "x 1".into(), root_hash: "ab".into(), sizes };
        let files = vec![FileRow { path: "/a.raw".into(), size: 8192, allocated: 4096 }];
        let used_by = Some(vec!["pinned".to_owned(), "mounted at /m".to_owned()]);
        let resolved = Resolved {
            reference: "docker://r/a:1".into(),
            manifest: "sha256:9".into(),
            when: 61,
            labels: BTreeMap::from([("version".into(), "1\n2".into())]),
        };
        let references = vec![resolved];
        let shown =
            Shown { image: "/a.raw", root_hash: Some("ab"), manifest: Some(&manifest), used_by, references, files };
        let terminal = Terminal { colour: Colour::Off, width: None };
        let wanted = "\
/a.raw
 Root hash: ab
    Format: ext4, layout 1
    Source: sha256:12
   Layer 1: sha256:56
    Option: size=exact
  Injected: /sbin/a 0755 sha256:34
   Made by: x 1
  Made for: docker://r/a:1
  Resolved: sha256:9, 1970-01-01 00:01:01 UTC
     Label: version=1\\n2
   Used by: pinned
   Used by: mounted at /m

FILE    SIZE  ON DISK
/a.raw  8.0K  4.0K
";
        assert_eq!(render(&shown, terminal), wanted);
        let bare = Shown { root_hash: None, manifest: None, used_by: Some(Vec::new()), files: Vec::new(), ..shown };
        let text = render(&bare, terminal);
        assert!(text.contains(" Root hash: none beside it\n  Manifest: none: not made"));
        assert!(text.contains("   Used by: nothing: a prune removes it\n"));
        assert!(!render(&Shown { used_by: None, ..bare }, terminal).contains("Used by"));
    }
}
