//! Reads `[overlay]`, and refuses `[inject]`, which this version does not do.
//! How the layers are mounted is `plan`'s.
//! What a layer's path cannot have comes from overlayfs's option syntax (Documentation/filesystems/overlayfs.rst).

use super::image::foreign_path;
use super::node::At;
use super::read::{Field, Fields};
use super::report::Report;
use crate::app::{Image, Overlay, OverlayMode, Service, State, User};
use crate::path::AbsPath;
use crate::size::Size;
use crate::unit::Layer;

/// Every mode, in the order they are offered.
const MODES: [&str; 3] = ["none", "volatile", "persistent"];
/// What the layers may take of the page that mount(2) gives to options.
const LAYERS_MAX: usize = 3500;

pub(super) fn read(section: Fields<'_, '_>, sessions: Fields<'_, '_>, report: &mut Report) -> Overlay {
    let mode = section.get("mode").map(|field| field.choice(report, &MODES));
    // A mode that cannot be read must not make its neighbours look wrong as well.
    let mode_is = |rank: usize| mode.is_some_and(|mode| mode.is_none_or(|at| at == rank));
    let size = section.get("size").and_then(|field| size(field, report));
    if let (Some(field), false) = (section.get("size"), mode_is(1)) {
        field.error(report, "goes only with mode = \"volatile\": other modes have no size of their own");
    }
    let writable = section.get("writable").map(|field| self::writable(field, report)).unwrap_or_default();
    if let (Some(field), false) = (section.get("writable"), mode_is(1) || mode_is(2) || sessions.at.is_some()) {
        field.error(report, "needs somewhere to write: add mode = \"volatile\" or mode = \"persistent\"");
    }
    let mode = match mode.flatten() {
        Some(1) => OverlayMode::Volatile { size },
        Some(2) => OverlayMode::Persistent,
        _ => OverlayMode::None,
    };
    Overlay { mode, layers: section.get("layers").map(|field| layers(field, report)).unwrap_or_default(), writable }
}

pub(super) fn size(field: Field<'_, '_>, report: &mut Report) -> Option<Size> {
    match field.kind {
        super::node::Kind::Integer(number) => Size::parse(number).map_err(|reason| field.error(report, reason)).ok(),
        _ => field.parse(report, Size::parse),
    }
}

fn layers(field: Field<'_, '_>, report: &mut Report) -> Vec<AbsPath> {
    let layers = field.list(report, layer);
    for (at, (place, path)) in layers.iter().enumerate() {
        if let Some((_, other)) = layers[..at].iter().find(|(_, other)| within(path, other)) {
            report.error(
                *place,
                field.key,
                format!("{path} and {other} lie within one another, which overlayfs refuses"),
            );
        }
    }
    if layers.iter().map(|(_, path)| 2 * path.as_str().len()).sum::<usize>() > LAYERS_MAX {
        field.error(report, "the layers' paths are too long together: a mount takes 4095 bytes of options");
    }
    layers.into_iter().map(|(_, path)| path).collect()
}

fn layer(text: &str) -> Result<AbsPath, String> {
    let path = foreign_path(text)?;
    let path = AbsPath::from(Layer::parse(path.as_str())?);
    if path.is_root() {
        return Err("a layer cannot be the host's own root".into());
    }
    Ok(path)
}

fn within(a: &AbsPath, b: &AbsPath) -> bool {
    a.is_at_or_below(b) || b.is_at_or_below(a)
}

fn writable(field: Field<'_, '_>, report: &mut Report) -> Vec<AbsPath> {
    let paths = field.list(report, |text| {
        let path = super::service::target(text)?;
        if path.is_root() {
            return Err(
                "a wholly writable root needs a named user: write user = \"NAME\" in [service] and leave this out"
                    .into(),
            );
        }
        Ok(path)
    });
    let mut kept: Vec<(At<'_>, AbsPath)> = Vec::with_capacity(paths.len());
    for (at, path) in paths {
        if kept.iter().any(|(_, other)| *other == path) {
            report.error(at, field.key, format!("{path} is there twice"));
        } else {
            kept.push((at, path));
        }
    }
    kept.into_iter().map(|(_, path)| path).collect()
}

/// Holds the overlay against image and user: what works, but not as the file reads, is a warning.
pub(super) fn fits(overlay: &Overlay, image: &Image, service: &Service, section: Fields<'_, '_>, report: &mut Report) {
    let below = match image {
        Image::Directory(path) => Some(path),
        Image::File(file) => file.fallback.as_ref(),
    };
    if let (Some(below), Some(field)) = (below, section.get("layers")) {
        for layer in overlay.layers.iter().filter(|layer| within(layer, below)) {
            field.error(
                report,
                format!("{layer} and the image's directory {below} lie within one another, which overlayfs refuses"),
            );
        }
    }
    let useless = overlay.mode != OverlayMode::None && overlay.writable.is_empty();
    if let (true, User::Dynamic, State::None, Some(field)) =
        (useless, &service.user, service.state, section.get("mode"))
    {
        let text =
            "a dynamic user cannot write to the root: name directories in `writable`, or give service.user a name";
        report.warning(field.at, field.key, text);
    }
}

/// `[inject]` is part of the format, but of a later version.
pub(super) fn inject(section: Fields<'_, '_>, report: &mut Report) {
    if let Some(at) = section.at {
        let text = "this version cannot inject files yet: put them into the image, or bind them with service.bind";
        report.error(at, section.key(""), text);
    }
}
