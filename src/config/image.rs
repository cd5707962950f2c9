//! Reads `[image]`: one source, and how far it must be trusted.
//! Whether a file exists or verifies is the helpers' business, at start.
//! The rules are DESIGN-given and described in veneer.app(5), "[IMAGE]".

use super::keys::APP;
use super::read::{Field, Fields};
use super::report::Report;
use super::settings::Host;
use super::text::File;
use crate::app::{FileSystem, Image, ImageFile, ImagePlace, Making, Settings, Trust, Verify};
use crate::convert::Form;
use crate::image::erofs::EqualFiles;
use crate::image::ext4;
use crate::inject::Injection;
use crate::layout::{self, AppPaths};
use crate::merge::Boot;
use crate::name::AppId;
use crate::origin::{Build, Origin};
use crate::path::AbsPath;
use crate::root_hash::RootHash;
use crate::size::Size;

/// Endings of image files, which a bare name goes without.
const ENDINGS: [&str; 2] = [".raw", ".app.img"];
/// What is left of a file name's 255 bytes for the longest ending of ours (`.roothash.p7s`).
const NAME_MAX: usize = 240;
/// Keys that say how an image is made.
const ONLY_WITH_MADE: [&str; 2] = ["size", "bootable"];
/// Keys that say nothing about a directory.
const ONLY_WITH_FILE: [&str; 4] = ["root-hash", "type", "verify", "fallback"];

/// A path of the host that is not one of ours.
pub(super) fn foreign_path(text: &str) -> Result<AbsPath, String> {
    let path = AbsPath::parse(text)?;
    if path.as_str() == "/run/veneer" || path.as_str().starts_with("/run/veneer/") {
        return Err(format!("{path} is Veneer's own, made and removed with the apps"));
    }
    Ok(path)
}

/// Reads the section of an app with this id.
pub(super) fn read(
    section: Fields<'_, '_>,
    (id, file): (&AppId, &File),
    host: &Host<'_>,
    report: &mut Report,
) -> Option<Image> {
    match source(section, file, report) {
        Some(Source::Directory(field)) => directory(section, field, host, report),
        Some(Source::File(field)) => image_file(section, field, host, report).map(Image::File),
        Some(Source::Made(field, origin)) => made(section, (field, origin(field, report)), id, host, report),
        None => {
            // All mistakes at once, though no image comes of it.
            Rest::read(section, host, report);
            let _mistakes = (size(section, report), boot(section, report));
            None
        }
    }
}

type Reader = fn(Field<'_, '_>, &mut Report) -> Option<Origin>;

enum Source<'n, 'a> {
    File(Field<'n, 'a>),
    Directory(Field<'n, 'a>),
    /// Made of a container image, which the reader says.
    Made(Field<'n, 'a>, Reader),
}

/// The one source; two are an error that names both.
fn source<'n, 'a>(section: Fields<'n, 'a>, file: &File, report: &mut Report) -> Option<Source<'n, 'a>> {
    let given: Vec<(&str, Field<'n, 'a>)> =
        ["file", "directory", "oci", "build"].into_iter().filter_map(|key| Some((key, section.get(key)?))).collect();
    match given[..] {
        [] if section.is_broken() => None,
        [] => {
            let text = "the app has no image: write `file = \"/PATH/TO/IMAGE.raw\"`, `oci = \"docker://REGISTRY/NAME\"` \
                        or `directory = \"/PATH\"` in [image]";
            report.missing(section.at, file, section.key(""), text);
            None
        }
        [(key, field)] => Some(match key {
            "file" => Source::File(field),
            "directory" => Source::Directory(field),
            "oci" => Source::Made(field, |field, report| field.parse(report, Origin::parse)),
            _ => Source::Made(field, build),
        }),
        [(first, one), (second, other), ..] => {
            let (first, one, second, other) =
                if one.at.is_before(other.at) { (first, one, second, other) } else { (second, other, first, one) };
            let place = one.at.seen_from(other.at);
            let mut text = format!("`{first}` ({place}) and `{second}` both say what the image is: keep one");
            if one.at.file.path != other.at.file.path {
                text.push_str(&format!(", here with reset = [\"image.{first}\"] at the top"));
            }
            other.error(report, text);
            None
        }
    }
}

fn directory(section: Fields<'_, '_>, field: Field<'_, '_>, host: &Host<'_>, report: &mut Report) -> Option<Image> {
    for stray in ONLY_WITH_FILE.into_iter().chain(ONLY_WITH_MADE).filter_map(|key| section.get(key)) {
        stray.error(report, "goes only with an image `file`, and this app has a `directory`");
    }
    if let Some(require) = section.get("require") {
        if require.choice(report, &Trust::NAMES).is_some_and(|rank| rank > 0) {
            require.error(report, "a directory cannot be verified: it counts as \"none\"");
        }
    }
    let path = field.parse(report, foreign_path)?;
    if path.is_root() {
        field.error(report, "an app's root cannot be the host's own");
    }
    policy(0, field, "a directory", host, report);
    Some(Image::Directory(path))
}

fn image_file(
    section: Fields<'_, '_>,
    field: Field<'_, '_>,
    host: &Host<'_>,
    report: &mut Report,
) -> Option<ImageFile> {
    let Rest { kind, trust, verify, fallback } = Rest::read(section, host, report);
    for stray in ONLY_WITH_MADE.into_iter().filter_map(|key| section.get(key)) {
        stray.error(report, "goes only with `oci` and `build`: an image that is there is as it is");
    }
    let place = place(field, host, report)?;
    let trust = trust?;
    policy(trust.rank(), section.get("require").unwrap_or(field), "the image", host, report);
    Some(ImageFile { place, kind, trust, verify, fallback })
}

/// The image, with what is put into it while it is made.
pub(super) fn with(mut image: Image, injected: Vec<Injection<AbsPath>>) -> Image {
    if let Image::File(ImageFile { place: ImagePlace::Made(making), .. }) = &mut image {
        making.injected = injected;
    }
    image
}

/// An image made of a container image: what it must show is asked of what is made.
fn made(
    section: Fields<'_, '_>,
    (field, origin): (Field<'_, '_>, Option<Origin>),
    id: &AppId,
    host: &Host<'_>,
    report: &mut Report,
) -> Option<Image> {
    if let Some(stray) = section.get("fallback") {
        stray.error(report, "is of image files: an image that is made when it is needed is never missing");
    }
    let (kind, form) = form(section, report);
    let boot = boot(section, report);
    let (trust, verify) = (trust(section, report)?, Verify::default());
    let verify = if section.get("verify").is_some() { self::verify(section, Some(&trust), report) } else { verify };
    if trust == Trust::Nothing {
        section
            .get("require")
            .unwrap_or(field)
            .error(report, "what is made of a container image always has a hash tree");
    }
    policy(trust.rank(), section.get("require").unwrap_or(field), "the image", host, report);
    let Settings { keep, pull, .. } = &host.settings;
    let current = AbsPath::parse(&AppPaths::new(id).current()).ok()?;
    let (injected, pull) = (Vec::new(), pull.clone());
    let making = Making { current, origin: origin?, form, boot, injected, keep: *keep, pull };
    let place = ImagePlace::Made(Box::new(making));
    Some(Image::File(ImageFile { place, kind, trust, verify, fallback: None }))
}

/// As what a container image is made: EROFS, or ext4 as large as what is in it or as `size` says.
fn form(section: Fields<'_, '_>, report: &mut Report) -> (FileSystem, Form) {
    let field = section.get("type");
    let kind = field.and_then(|field| field.choice(report, &FileSystem::NAMES)).map(|at| FileSystem::NAMES[at]);
    let kind = kind.and_then(FileSystem::parse).unwrap_or_default();
    let size = size(section, report);
    if let (FileSystem::Squashfs, Some(field)) = (kind, field) {
        field.error(report, "what is made of a container image is \"erofs\" or \"ext4\"");
    }
    if let (false, Some(field)) = (kind == FileSystem::Ext4, section.get("size")) {
        field.error(report, "goes only with type = \"ext4\": an EROFS image is as large as what is in it");
    }
    let form = match (kind, size) {
        (FileSystem::Ext4, Some(size)) => Form::Ext4(ext4::Size::Bytes(size.bytes()), ext4::Journal::BySize),
        (FileSystem::Ext4, None) => Form::Ext4(ext4::Size::Exact, ext4::Journal::None),
        _ => Form::Erofs(EqualFiles::Apart),
    };
    (kind, form)
}

fn size(section: Fields<'_, '_>, report: &mut Report) -> Option<Size> {
    section.get("size").and_then(|field| super::overlay::size(field, report))
}

fn boot(section: Fields<'_, '_>, report: &mut Report) -> Boot {
    match section.get("bootable").and_then(|field| field.boolean(report)) {
        Some(true) => Boot::Made,
        Some(false) | None => Boot::Left,
    }
}

/// `build = { context = "/PATH", file = "Containerfile" }`.
fn build(field: Field<'_, '_>, report: &mut Report) -> Option<Origin> {
    let table = Fields::from_field(APP, "image.build", field, report);
    if !table.is_table() {
        return None;
    }
    let (context, file) = (table.get("context"), table.get("file"));
    if context.is_none() {
        report.error(field.at, table.key("context"), "`context` is missing: write build = { context = \"/PATH\" }");
    }
    let context = context.and_then(|field| field.parse(report, foreign_path));
    let base = context.clone().unwrap_or_else(|| layout::path("/"));
    let file = file.map(|field| field.parse(report, |file| Build::file_in(&base, file)));
    match Build::new(context?, flat(file)?) {
        Ok(build) => Some(Origin::Build(build)),
        Err(said) => {
            field.error(report, said);
            None
        }
    }
}

/// What is said of an image file besides where it is.
struct Rest {
    kind: FileSystem,
    trust: Option<Trust>,
    verify: Verify,
    fallback: Option<AbsPath>,
}

impl Rest {
    fn read(section: Fields<'_, '_>, host: &Host<'_>, report: &mut Report) -> Self {
        let kind = section.get("type").and_then(|field| field.choice(report, &FileSystem::NAMES));
        let kind = kind.and_then(|at| FileSystem::parse(FileSystem::NAMES[at])).unwrap_or_default();
        let trust = trust(section, report);
        let verify = verify(section, trust.as_ref(), report);
        let fallback = fallback(section, trust.as_ref(), host, report);
        Self { kind, trust, verify, fallback }
    }
}

fn place(field: Field<'_, '_>, host: &Host<'_>, report: &mut Report) -> Option<ImagePlace> {
    if field.text(report)?.starts_with('/') {
        return field.parse(report, foreign_path).map(ImagePlace::At);
    }
    let name = field.parse(report, name)?;
    Some(ImagePlace::Named { name, roots: host.settings.roots.clone() })
}

fn name(text: &str) -> Result<Box<str>, String> {
    if text.contains('/') || text.is_empty() || text.starts_with('.') {
        return Err(format!("{text:?} is neither an absolute path nor a bare name to search in the store"));
    }
    if let Some(stem) = ENDINGS.iter().find_map(|ending| text.strip_suffix(ending)) {
        return Err(format!("{text:?} is not an absolute path; to search the store for it, write {stem:?}"));
    }
    if text.len() > NAME_MAX {
        return Err(format!("a name in the store has at most {NAME_MAX} bytes, this one has {}", text.len()));
    }
    AbsPath::parse(&format!("/{text}")).map(|_| text.into())
}

/// What the image must show; with a root hash and nothing said, it is pinned.
fn trust(section: Fields<'_, '_>, report: &mut Report) -> Option<Trust> {
    let (require, hash) = (section.get("require"), section.get("root-hash"));
    // Both are read before either may end this: all mistakes at once.
    let rank = require.map(|field| field.choice(report, &Trust::NAMES));
    let root_hash = hash.map(|field| field.parse(report, RootHash::parse));
    let (rank, root_hash) = (flat(rank)?, flat(root_hash)?);
    let refuse = |report: &mut Report, text: &str| {
        if let Some(field) = require {
            field.error(report, text);
        }
        None
    };
    match (rank, root_hash) {
        (None | Some(2), Some(hash)) => Some(Trust::Pinned(hash)),
        (None | Some(1), None) => Some(Trust::Verity),
        (Some(0), None) => Some(Trust::Nothing),
        (Some(3), hash) => Some(Trust::Signed(hash)),
        (Some(0), Some(_)) => {
            refuse(report, "\"none\" checks nothing, but a root-hash is given: write \"pinned\" or leave one out")
        }
        (Some(1), Some(_)) => refuse(
            report,
            "with a root-hash the image is more than \"verity\": write \"pinned\" or leave `require` out",
        ),
        (Some(_), _) => {
            refuse(report, "\"pinned\" needs the root hash: write root-hash = \"…\", the line that veritysetup prints")
        }
    }
}

/// What is given but could not be read ends the reading; what is not given does not.
fn flat<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        Some(None) => None,
        Some(read) => Some(read),
        None => Some(None),
    }
}

fn verify(section: Fields<'_, '_>, trust: Option<&Trust>, report: &mut Report) -> Verify {
    let Some(field) = section.get("verify") else {
        return Verify::default();
    };
    let chosen = field.choice(report, &Verify::NAMES);
    if trust == Some(&Trust::Nothing) {
        field.error(report, "with require = \"none\" there is no hash tree to verify with");
    }
    if chosen == Some(1) { Verify::Full } else { Verify::Tree }
}

fn fallback(section: Fields<'_, '_>, trust: Option<&Trust>, host: &Host<'_>, report: &mut Report) -> Option<AbsPath> {
    let field = section.get("fallback")?;
    let path = field.parse(report, foreign_path)?;
    if path.is_root() {
        field.error(report, "an app's root cannot be the host's own");
    }
    if let Some(Trust::Signed(_)) = trust {
        field.error(report, "require = \"signed\" means signed and nothing else: a directory has no signature");
    }
    policy(0, field, "a fallback directory", host, report);
    Some(path)
}

/// Holds what an image shows against the least that the host asks for.
fn policy(rank: usize, field: Field<'_, '_>, what: &str, host: &Host<'_>, report: &mut Report) {
    if rank >= host.settings.least_trust {
        return;
    }
    let (least, shown) = (Trust::NAMES[host.settings.least_trust], Trust::NAMES[rank]);
    let place = host.policy.as_deref().unwrap_or("veneer.toml");
    field.error(report, format!("{what} shows {shown:?}, but this host asks for {least:?} at least ({place})"));
}
