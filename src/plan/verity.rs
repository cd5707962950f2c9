//! The command lines of an app's `veneer-verity@` (its instance's own file) and `veneer-overlay@` (a drop-in).
//! Everything else about these units is static, in `units/`: of the instances of `veneer-verity@` in a drop-in for
//! all of them, so that an app's takes one file here and not a directory and a file.
//! A helper gets all it needs from here and never reads an app's file.

use super::chain::{chain_digest, with_digest, zeros};
use super::{Names, points};
use crate::app::{App, Image, ImageFile, ImagePlace, OverlayMode, Trust, Verify};
use crate::layout::LIBEXEC;
use crate::unit::{Arg, Content, Duplicate, Unit, UnitSet, Value};

pub(super) fn plan(app: &App, names: &Names, set: &mut UnitSet) -> Result<(), Duplicate> {
    if let Some(unit) = overlay(app, names) {
        set.drop_in(&names.overlay, unit)?;
    }
    let path = names.verity.to_string();
    let draft = Content::File(attach(app).into_text());
    let mut files: Vec<(&str, &Content)> = set.iter().collect();
    files.push((&path, &draft));
    files.sort_by_key(|(path, _)| *path);
    let digest = chain_digest(files);
    let Content::File(text) = &draft else { return Ok(()) };
    let text = with_digest(text, &digest);
    set.add(path, Content::File(text))
}

/// A volatile overlay needs no drop-in: its place follows from the id.
fn overlay(app: &App, names: &Names) -> Option<Unit> {
    let place = names.paths.overlay();
    match app.overlay.mode {
        OverlayMode::None | OverlayMode::Volatile { .. } => None,
        OverlayMode::Persistent => {
            let mut unit = Unit::from_source(&app.source);
            unit.set("RequiresMountsFor", Value::Paths(&[&place]));
            let upper = format!("--upper={place}");
            let command = helper(&["veneer-overlay", "prepare", app.id.as_str(), &upper]);
            unit.section("Service");
            unit.set("ExecStart", Value::Reset);
            unit.set("ExecStart", Value::Exec { prefix: "", argv: &command });
            Some(unit)
        }
    }
}

fn attach(app: &App) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    let mut args: Vec<String> = vec!["veneer-verity".into(), "attach".into(), app.id.to_string()];
    let needs = image_arguments(&app.image, &mut args);
    unit.set("RequiresMountsFor", Value::Paths(&needs));
    args.extend(points(app).into_iter().map(|point| format!("--point={point}")));
    args.push(zeros());
    unit.section("Service");
    unit.set("ExecStart", Value::Exec { prefix: "", argv: &helper(&args) });
    unit
}

/// The image as options, and the paths that have to be mounted for it.
pub(super) fn image_arguments<'a>(image: &'a Image, args: &mut Vec<String>) -> Vec<&'a str> {
    match image {
        Image::Directory(dir) => {
            args.push(format!("--directory={dir}"));
            vec![dir.as_str()]
        }
        Image::File(image) => attach_file(image, args),
    }
}

fn attach_file<'a>(image: &'a ImageFile, args: &mut Vec<String>) -> Vec<&'a str> {
    let mut needs = match &image.place {
        ImagePlace::At(path) => {
            args.push(format!("--image={path}"));
            vec![path.as_str()]
        }
        ImagePlace::Named { name, roots } => {
            args.push(format!("--name={name}"));
            args.extend(roots.iter().map(|root| format!("--store={root}")));
            roots.iter().map(|root| root.as_str()).collect()
        }
    };
    if let Some(fallback) = &image.fallback {
        args.push(format!("--fallback={fallback}"));
        needs.push(fallback.as_str());
    }
    if image.trust != Trust::Verity {
        args.push(format!("--require={}", image.trust.name()));
    }
    args.extend(image.trust.root_hash().map(|hash| format!("--root-hash={hash}")));
    args.push(format!("--type={}", image.kind.name()));
    if image.verify != Verify::Tree {
        args.push(format!("--verify={}", image.verify.name()));
    }
    needs
}

/// A command line of one of our programs; its words hold ids and checked paths only.
pub(super) fn helper(words: &[impl AsRef<str>]) -> Vec<Arg> {
    let program = words.iter().take(1).map(|word| format!("{LIBEXEC}/{}", word.as_ref()));
    let rest = words.iter().skip(1).map(|word| word.as_ref().to_owned());
    program.chain(rest).filter_map(|word| Arg::parse(&word).ok()).collect()
}

/// More words of such a command line.
pub(super) fn arguments(words: &[String]) -> Vec<Arg> {
    words.iter().filter_map(|word| Arg::parse(word).ok()).collect()
}
