//! Reads `[session]` of an app's file, and of `veneer.toml`.
//! What a session's copy is made of is `plan`'s, and how `host::session`'s.
//! The keys are those of veneer.app(5) and veneer.toml(5).

use super::node::Kind;
use super::read::{Field, Fields};
use super::report::Report;
use super::session_directory;
use super::settings::Host;
use crate::app::{FileSystem, Image, ImageFile, Limits, Overlay, Reflink, SessionKind, Sessions, Settings};

/// More sessions than any machine has units.
const LIMIT_MAX: u32 = 100_000;

/// What `[session]` says by itself; none without the table.
pub(super) fn read(section: Fields<'_, '_>, host: &Host<'_>, report: &mut Report) -> Option<Sessions> {
    section.at?;
    let kind = section.get("kind").and_then(|field| field.choice(report, &SessionKind::NAMES));
    let kind = kind.and_then(|at| SessionKind::parse(SessionKind::NAMES[at])).unwrap_or_default();
    let reflink = section.get("reflink").and_then(|field| field.choice(report, &Reflink::NAMES));
    let reflink = reflink.and_then(|at| Reflink::parse(Reflink::NAMES[at])).unwrap_or_default();
    let resize = section.get("resize").and_then(|field| super::overlay::size(field, report));
    let limit = section.get("limit").and_then(|field| limit(field, report));
    let host = &host.settings;
    let per_app = limit.unwrap_or(host.session_limits.per_app).min(host.session_limits.per_app);
    let limits = Limits { per_app, ..host.session_limits };
    Some(Sessions { kind, reflink, resize, directory: host.sessions.clone(), limits })
}

/// Holds it against the app's image and layers, which may settle the kind.
pub(super) fn fitting(
    sessions: Sessions,
    (image, overlay): (&Image, &Overlay),
    section: Fields<'_, '_>,
    report: &mut Report,
) -> Sessions {
    let kind = sessions.kind;
    fits(kind, image, section, report);
    if let (false, SessionKind::Tree | SessionKind::Image, Some(field)) =
        (overlay.layers.is_empty(), kind, section.get("kind"))
    {
        field.error(report, "copies the image alone, and overlay.layers would be missing: write kind = \"overlay\"");
    }
    let kind = match kind {
        // No copy has the layers.
        SessionKind::Auto if !overlay.layers.is_empty() => SessionKind::Overlay,
        kind => kind,
    };
    Sessions { kind, ..sessions }
}

/// Holds the kind against the image.
fn fits(kind: SessionKind, image: &Image, section: Fields<'_, '_>, report: &mut Report) {
    let disk = matches!(image, Image::File(ImageFile { kind: FileSystem::Ext4, fallback: None, .. }));
    if let (SessionKind::Image, Some(field)) = (kind, section.get("kind")) {
        match image {
            Image::Directory(_) => field.error(report, "needs an image `file`, and this app has a `directory`"),
            Image::File(_) if !disk => {
                field.error(report, "a copy of the image can only be written with type = \"ext4\" and no fallback");
            }
            Image::File(_) => {}
        }
    }
    if let Some(field) = section.get("resize") {
        let useful = matches!(kind, SessionKind::Image) || (kind == SessionKind::Auto && disk);
        if !useful {
            field.error(report, "goes only with a session that is a copy of an ext4 image: kind = \"image\"");
        }
    }
}

/// `[session]` of `veneer.toml`; what cannot be read is left as it was.
pub(super) fn settings(section: Fields<'_, '_>, settings: &mut Settings, report: &mut Report) {
    if let Some(path) = section.get("directory").and_then(|field| field.parse(report, session_directory::parse)) {
        settings.sessions = path;
    }
    let limits = settings.session_limits;
    let of = |key, report: &mut Report| section.get(key).and_then(|field| limit(field, report));
    let in_all = of("limit", report).unwrap_or(limits.in_all);
    let per_app = of("limit-per-app", report).unwrap_or(limits.per_app.min(in_all));
    settings.session_limits = Limits { per_app, in_all };
}

fn limit(field: Field<'_, '_>, report: &mut Report) -> Option<u32> {
    let Kind::Integer(text) = field.kind else {
        field.wrong(report, "a whole number");
        return None;
    };
    match text.parse::<u32>() {
        Ok(number) if (1..=LIMIT_MAX).contains(&number) => Some(number),
        _ => {
            field.error(report, format!("wants a whole number from 1 to {LIMIT_MAX}"));
            None
        }
    }
}
