//! Which image is meant: one finder for all verbs of `veneer image`.
//! It opens an image for those who look into it, and gives the name in the store to those who keep it.
//! In this order: a path; a reference; a name in a store; the first digits of a digest, as `list` prints them; an app's id.
//! `app:ID` is the image that an app uses, whatever images are called.

use super::context::{self, Context};
use super::fault::fault;
use super::image_keep::whole;
use crate::app::{App, Image, ImagePlace};
use crate::config::{Host, load_app};
use crate::host::below_root;
use crate::host::image_look::Look;
use crate::host::store::{StoreDir, check_access};
use crate::image::publish::ImageName;
use crate::layout::IMAGES;
use crate::origin::Origin;
use crate::problem::nearest;
use crate::store::Store;
use crate::store::name::{BY_CONTENT, is_by_content};
use crate::sysexits::Exit;
use crate::verity::names::candidates;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// What an app's id may begin with, so that it is no image's name.
const APP: &str = "app:";

/// Opens the image that is meant, in the store or outside of it.
pub(super) fn look(context: &Context, typed: &str) -> Result<Look> {
    if is_path(typed) {
        let path = context.at(&below_root::absolute(Path::new(typed)).to_string_lossy());
        return Look::at(&path)?.ok_or_else(|| fault(Exit::NoInput, format!("there is no image {typed}")));
    }
    let dir = StoreDir::below(&context.root);
    check_access(&dir)?;
    if !typed.starts_with(APP) {
        // Stores that the admin has set up besides are searched first, as for an app.
        if let Some(look) = one_of(&named(context, typed))? {
            return Ok(look);
        }
    }
    let path = match app_id(context, typed) {
        Some(id) if typed.starts_with(APP) => of_app(context, id)?,
        id => {
            let store = whole(&dir)?;
            match (in_store(&store, typed)?, id) {
                (Some(name), _) => file_of(context, &store, &name),
                (None, Some(id)) => of_app(context, id)?,
                (None, None) => return Err(unknown(&store, typed)),
            }
        }
    };
    Look::at(&path)?.ok_or_else(|| fault(Exit::NoInput, format!("there is no image {}", path.display())))
}

/// The name of the image that is meant, which must be in the store.
pub(super) fn find(context: &Context, store: &Store, typed: &str) -> Result<ImageName> {
    let id = app_id(context, typed);
    let found = if typed.starts_with(APP) { None } else { in_store(store, typed)? };
    match (found, id) {
        (Some(name), _) => Ok(name),
        (None, Some(id)) => {
            let path = of_app(context, id)?;
            let said = || format!("{id} uses {}, which is not in the store", path.display());
            let name = stored(context, &path).filter(|name| store.image(name).is_some());
            let name = name.ok_or_else(|| fault(Exit::NoInput, said()))?;
            ImageName::parse(&name).map_err(|said| fault(Exit::Data, said))
        }
        (None, None) => Err(unknown(store, typed)),
    }
}

/// The name of an image that is in the store.
pub(super) fn stored(context: &Context, path: &Path) -> Option<String> {
    let file = path.strip_prefix(context.at(IMAGES)).ok()?.to_str()?;
    let name = file.strip_suffix(".raw").or_else(|| file.strip_suffix(".app.img"))?;
    Some(name.to_owned()).filter(|name| !name.contains('/'))
}

fn is_path(typed: &str) -> bool {
    // A reference has slashes, too, but behind its transport.
    let is_reference = Origin::parse(typed).is_ok();
    !is_reference && (typed.contains('/') || typed.ends_with(".raw") || typed.ends_with(".img"))
}

fn one_of(paths: &[PathBuf]) -> Result<Option<Look>> {
    for path in paths {
        if let Some(look) = Look::at(path)? {
            return Ok(Some(look));
        }
    }
    Ok(None)
}

/// Where an image of this name is, in the stores of veneer.toml.
fn named(context: &Context, name: &str) -> Vec<PathBuf> {
    if name.contains(['/', ':']) {
        return Vec::new();
    }
    let config = context.config();
    let (host, _) = Host::load(&config);
    let place = ImagePlace::Named { name: name.into(), roots: host.settings.roots };
    candidates(&place).iter().map(|path| context.at(path.as_str())).collect()
}

/// By its name, a reference it was made for, or the first digits of its digest.
fn in_store(store: &Store, typed: &str) -> Result<Option<ImageName>> {
    let reference = Origin::parse(typed).map_or_else(|_| typed.to_owned(), |origin| origin.to_string());
    let by_reference = store.record(&reference).and_then(|record| record.image.as_ref()).map(ImageName::as_str);
    let of_record = by_reference.filter(|name| store.image(name).is_some());
    let mut begun = store.images.iter().map(|image| image.name.as_str()).filter(|name| begins(name, typed));
    let name = match (store.image(typed), of_record) {
        (Some(image), _) => image.name.as_str(),
        (None, Some(name)) => name,
        (None, None) => match (begun.next(), begun.next()) {
            (Some(name), None) => name,
            (Some(_), Some(_)) => {
                return Err(fault(Exit::Usage, format!("{typed:?} begins more than one image's name")));
            }
            (None, _) => return Ok(None),
        },
    };
    ImageName::parse(name).map(Some).map_err(|said| fault(Exit::Data, said))
}

/// Whether these are the first digits of an image that goes by its content; so few say nothing.
fn begins(name: &str, typed: &str) -> bool {
    let digits = typed.strip_prefix(BY_CONTENT).or_else(|| typed.strip_prefix("sha256:")).unwrap_or(typed);
    digits.len() >= 6 && is_by_content(name) && name.strip_prefix(BY_CONTENT).is_some_and(|hex| hex.starts_with(digits))
}

fn file_of(context: &Context, store: &Store, name: &ImageName) -> PathBuf {
    let own = store.image(name.as_str()).and_then(|image| image.own().first());
    let file = own.map_or_else(|| format!("{name}.raw"), |own| own.name.clone());
    context.at(IMAGES).join(file)
}

/// What was typed as the id of an app: by itself only if there is one.
fn app_id<'a>(context: &Context, typed: &'a str) -> Option<&'a str> {
    match typed.strip_prefix(APP) {
        Some(id) => Some(id),
        None => Some(typed).filter(|id| context.config().app(id).is_some()),
    }
}

/// The file that an app is started from next.
fn of_app(context: &Context, id: &str) -> Result<PathBuf> {
    let config = context.config();
    let (host, _) = Host::load(&config);
    let loaded = load_app(context::find(&config, id)?, &host);
    let app = loaded.map_err(|_| fault(Exit::Config, format!("the file of {id} is wrong: see `veneer check`")))?.app;
    let places: Vec<PathBuf> = places(&app)?.iter().map(|path| context.at(path)).collect();
    let there = places.iter().find(|path| below_root::exists(path));
    let Some(path) = there else {
        let shown: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        return Err(fault(Exit::NoInput, format!("{id} has no image yet: there is no {}", shown.join(", nor "))));
    };
    // What `current` leads to: the image's own name, and what stands beside it.
    match below_root::link(path).filter(|_| matches!(&app.image, Image::File(file) if is_made(&file.place))) {
        Some(target) => {
            let image = crate::store::versions::image_of(&target);
            let image = image.map_err(|said| fault(Exit::Data, format!("{}: {said}", path.display())))?;
            Ok(context.at(IMAGES).join(format!("{image}.raw")))
        }
        None => Ok(path.clone()),
    }
}

fn is_made(place: &ImagePlace) -> bool {
    matches!(place, ImagePlace::Made(_))
}

fn places(app: &App) -> Result<Vec<String>> {
    match &app.image {
        Image::File(file) => Ok(candidates(&file.place).iter().map(ToString::to_string).collect()),
        Image::Directory(path) => {
            Err(fault(Exit::Usage, format!("{} runs from the directory {path}: it has no image", app.id)))
        }
    }
}

fn unknown(store: &Store, typed: &str) -> anyhow::Error {
    if let Ok(origin) = Origin::parse(typed) {
        return fault(Exit::NoInput, format!("the store has no image of {origin}: see veneer image pull"));
    }
    let names = store.images.iter().map(|image| image.name.as_str());
    let hint = match nearest(typed, names) {
        Some(near) => format!(": did you mean {near:?}?"),
        None => ": veneer image list shows them".to_owned(),
    };
    fault(Exit::NoInput, format!("there is no image {typed:?} in the store{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::terminal::Terminal;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A root with two images by content, one by name, and two apps.
    fn world() -> (tempfile::TempDir, Context, Vec<String>) {
        let root = tempfile::tempdir().expect("temporary directory");
        let dir = StoreDir::below(root.path());
        let images = dir.make(IMAGES).expect("made");
        let names: Vec<String> = ["ab".repeat(32), format!("abcdef{}", "0".repeat(58))]
            .iter()
            .map(|hex| format!("{BY_CONTENT}{hex}"))
            .collect();
        for name in names.iter().map(String::as_str).chain(["hello"]) {
            fs::write(images.join(format!("{name}.raw")), name).expect("written");
        }
        let versions = dir.make("/var/lib/veneer/apps/web").expect("made");
        symlink(format!("../../images/{}.raw", names[0]), versions.join("current")).expect("linked");
        let apps = root.path().join("etc/veneer/apps.d");
        fs::create_dir_all(&apps).expect("made");
        let app = |image: &str| format!("[image]\n{image}\n\n[service]\nexec = [\"/bin/a\"]\n");
        fs::write(apps.join("web.toml"), app("oci = \"docker://r.example/web:1\"")).expect("written");
        fs::write(apps.join("hello.toml"), app("oci = \"docker://r.example/hello:1\"")).expect("written");
        fs::write(apps.join("plain.toml"), app("file = \"hello\"")).expect("written");
        let context = Context { root: root.path().to_owned(), terminal: Terminal::of_stdout(), systemd: None };
        (root, context, names)
    }

    #[test]
    fn every_verb_finds_the_same_image_by_all_of_its_names() {
        let (_root, context, names) = world();
        let store = whole(&StoreDir::below(&context.root)).expect("read");
        let short = &names[0][..BY_CONTENT.len() + 12];
        let cases = [
            (names[0].as_str(), &*names[0]),
            (short, &names[0]),
            (&short[BY_CONTENT.len()..], &names[0]),
            ("sha256:abcdef", &names[1]),
            ("web", &names[0]),
            ("app:web", &names[0]),
            ("plain", "hello"),
            ("app:plain", "hello"),
            // An app of this name has another image: the image's own name is stronger.
            ("hello", "hello"),
        ];
        for (typed, name) in cases {
            let file = format!("{name}.raw");
            assert_eq!(find(&context, &store, typed).expect(typed).as_str(), name, "{typed}");
            assert!(look(&context, typed).expect(typed).image.path().ends_with(&file), "{typed}");
        }
        let path = context.at(IMAGES).join("hello.raw");
        assert_eq!(stored(&context, &path), Some("hello".into()));
    }

    #[test]
    fn what_is_no_image_is_refused_in_the_same_words() {
        let (_root, context, _names) = world();
        let store = whole(&StoreDir::below(&context.root)).expect("read");
        let cases = [
            ("app:hello", "hello has no image yet"),
            ("app:none", "there is no app \"none\""),
            ("helo", "did you mean \"hello\"?"),
            ("docker://r.example/a:1", "the store has no image of docker://r.example/a:1"),
        ];
        for (typed, said) in cases {
            let of_find = find(&context, &store, typed).expect_err(typed).to_string();
            let of_look = look(&context, typed).expect_err(typed).to_string();
            assert_eq!(of_find, of_look);
            assert!(of_find.contains(said), "{of_find}");
        }
    }
}
