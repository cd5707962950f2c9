//! What app files, drop-ins and templates say of images, whether they count at present or not.
//! It merges nothing and judges nothing: a mask can be lifted and a stronger file removed, and what is named in a weaker
//! file must still be there then. Prune asks (docs/store.md, "What is in use").

use super::node::{Kind, Table, parse};
use super::text::{Dir, File};
use crate::origin::{Build, Origin};
use crate::path::AbsPath;
use crate::problem::{Place, Problem};

/// Something that a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where: `FILE:LINE`.
    pub place: String,
    /// What.
    pub what: Mentioned,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mentioned {
    /// `image.file`: a path, or a name in the store.
    File(String),
    /// `image.oci`: a container image; `image.build`, as `build:CONTEXT:FILE`.
    Reference(String),
    /// Any other text: a path may be in it.
    Text(String),
}

/// Everything that the files of these directories say, and what could not be read of them.
pub fn mentions(dirs: &[Dir]) -> (Vec<Mention>, Vec<Problem>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for dir in dirs {
        let drop_ins = dir.drop_ins.iter().flat_map(|drop_ins| &drop_ins.files);
        for (_, file) in dir.apps.iter().chain(drop_ins).chain(&dir.templates).filter(|(_, file)| !file.is_mask()) {
            match parse(file) {
                Ok(table) => collect(file, &table, "", &mut found),
                Err(problem) => problems.push(problem),
            }
        }
    }
    (found, problems)
}

fn collect(file: &File, table: &Table<'_>, section: &str, found: &mut Vec<Mention>) {
    for entry in table {
        let path = if section.is_empty() { entry.key.to_string() } else { format!("{section}.{}", entry.key) };
        value(file, &entry.value.kind, entry.value.at.offset, &path, found);
    }
}

fn value(file: &File, kind: &Kind<'_>, offset: usize, path: &str, found: &mut Vec<Mention>) {
    match kind {
        Kind::Text(text) => {
            let text = text.to_string();
            let what = match path {
                "image.file" => Mentioned::File(text),
                "image.oci" => Mentioned::Reference(text),
                // Only paths are looked for in these.
                _ if !text.contains('/') => return,
                _ => Mentioned::Text(text),
            };
            found.push(mention(file, offset, what));
        }
        Kind::Array(items) => items.iter().for_each(|item| value(file, &item.kind, item.at.offset, path, found)),
        Kind::Table(table) => {
            if path == "image.build" {
                let what = built(table).map(|origin| Mentioned::Reference(origin.to_string()));
                found.extend(what.map(|what| mention(file, offset, what)));
            }
            collect(file, table, path, found);
        }
        _ => {}
    }
}

fn mention(file: &File, offset: usize, what: Mentioned) -> Mention {
    let line = Place::at(file.text(), offset).line;
    Mention { place: format!("{}:{line}", file.path), what }
}

/// What `image.build` of one file alone comes to; what several files make of it together is the app's to say.
fn built(table: &Table<'_>) -> Option<Origin> {
    let text = |key: &str| match &table.iter().find(|entry| entry.key == key)?.value.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    };
    let context = AbsPath::parse(text("context")?).ok()?;
    let file = text("file").map(|file| Build::file_in(&context, file)).transpose().ok()?;
    Build::new(context, file).ok().map(Origin::Build)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(apps: &[(&str, &str)], drop_ins: &[(&str, &str)]) -> Dir {
        let files = |dir: &str, files: &[(&str, &str)]| {
            let file = |(name, text): &(&str, &str)| ((*name).into(), File::new(format!("{dir}/{name}.toml"), *text));
            files.iter().map(file).collect::<Vec<_>>()
        };
        let (path, app) = ("/e/apps.d/a.toml.d".into(), "a".into());
        let drop_ins = crate::config::DropIns { path, app, files: files("/e/apps.d/a.toml.d", drop_ins) };
        Dir { apps: files("/e/apps.d", apps), drop_ins: vec![drop_ins], ..Dir::default() }
    }

    #[test]
    fn every_file_counts_and_says_where() {
        let text =
            "[image]\nfile = \"hello\"\n[service.directives]\nExtensionImages = [\"/x/y.raw\"]\nUser = \"nobody\"\n";
        let (found, problems) = mentions(&[dir(&[("a", text), ("off", "")], &[("1", "image.oci = \"docker://r/a\"")])]);
        assert!(problems.is_empty());
        let shown: Vec<String> = found.iter().map(|mention| format!("{} {:?}", mention.place, mention.what)).collect();
        assert_eq!(
            shown,
            [
                "/e/apps.d/a.toml:2 File(\"hello\")",
                "/e/apps.d/a.toml:4 Text(\"/x/y.raw\")",
                "/e/apps.d/a.toml.d/1.toml:1 Reference(\"docker://r/a\")",
            ]
        );
    }

    #[test]
    fn a_build_is_a_reference() {
        for (text, wanted) in [
            ("[image]\nbuild = { context = \"/srv/a\" }\n", "build:/srv/a"),
            ("[image.build]\ncontext = \"/srv/a\"\nfile = \"C\"\n", "build:/srv/a:/srv/a/C"),
        ] {
            let (found, _) = mentions(&[dir(&[("a", text)], &[])]);
            assert_eq!(found.first().map(|found| &found.what), Some(&Mentioned::Reference(wanted.into())), "{text}");
        }
        let (found, _) = mentions(&[dir(&[("a", "image.build.file = \"C\"\n")], &[])]);
        assert!(found.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem_even_if_it_does_not_count() {
        let good = ("a", "[image]\nfile = \"x\"\n");
        let (found, problems) = mentions(&[dir(&[("a", "[image")], &[]), dir(&[good], &[])]);
        assert_eq!((found.len(), problems.len()), (1, 1));
    }
}
