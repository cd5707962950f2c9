//! The mounts of an app: its image, the tmpfs of a volatile overlay, its root.
//! What all of them share is the shipped drop-in `run-veneer-apps-.mount.d`; what opens the device is `verity`.
//! Overlay options are the kernel's (Documentation/filesystems/overlayfs.rst).

use super::{Names, fallback, has_root_overlay};
use crate::app::{App, Image, OverlayMode, Profile, Skeleton};
use crate::layout;
use crate::unit::{Duplicate, Unit, UnitName, UnitSet, Value};

pub(super) fn plan(app: &App, names: &Names, set: &mut UnitSet) -> Result<(), Duplicate> {
    set.unit(&names.image, image(app, names))?;
    if let OverlayMode::Volatile { size } = app.overlay.mode {
        set.unit(&names.rw, rw(app, names, size))?;
    }
    if has_root_overlay(app) {
        set.unit(&names.root, root(app, names))?;
    }
    Ok(())
}

fn image(app: &App, names: &Names) -> Unit {
    let device = names.paths.device();
    let mut unit = bound_to(app, &names.verity);
    if fallback(app).is_some() {
        // No device: there is no image file, and the fallback serves.
        unit.set("ConditionPathExists", Value::Path(&device));
    }
    let (what, kind, first) = match &app.image {
        Image::Directory(dir) => (dir.as_str(), "none", "bind,ro"),
        // mount(8) hands this type to our helper, mount.veneer: see host::image_mount.
        Image::File(_) => (device.as_str(), "veneer", "ro"),
    };
    mount(&mut unit, what, &names.paths.image(), kind);
    unit.set("Options", Value::Options(&options(app, first)));
    unit
}

fn rw(app: &App, names: &Names, size: Option<crate::size::Size>) -> Unit {
    let mut unit = bound_to(app, &names.verity);
    // One behind the other, for systemd looks for what is unneeded only below what has just failed or stopped.
    unit.set("Requires", Value::Units(&[&names.image]));
    unit.set("After", Value::Units(&[&names.image]));
    mount(&mut unit, "tmpfs", &names.paths.rw(), "tmpfs");
    let mut options = options(app, "mode=0700");
    options.extend(size.map(|size| format!("size={size}")));
    unit.set("Options", Value::Options(&options));
    unit
}

fn root(app: &App, names: &Names) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    bind_root(app, names, &mut unit);
    let layers: Vec<&str> = app.overlay.layers.iter().map(|layer| layer.as_str()).collect();
    if !layers.is_empty() {
        unit.set("RequiresMountsFor", Value::Paths(&layers));
    }
    mount(&mut unit, "overlay", &names.paths.root(), "overlay");
    let writable = app.overlay.mode != OverlayMode::None;
    let (upper, access) = match app.overlay.mode {
        OverlayMode::None => (None, "ro"),
        OverlayMode::Volatile { .. } => (Some(names.paths.rw()), "rw"),
        OverlayMode::Persistent => (Some(names.paths.overlay()), "rw"),
    };
    debug_assert_eq!(writable, upper.is_some());
    let options = options(app, access);
    let lower = lower(app, names);
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    unit.set("Options", Value::Overlay { options: &options, lower: &lower, upper: upper.as_deref() });
    unit
}

/// What a session's copy waits for: the image, or what stands in for it.
pub(super) fn bind_image(app: &App, names: &Names, unit: &mut Unit) {
    let bound = bound_image(app, names, unit);
    unit.set("BindsTo", Value::Units(&[bound]));
    unit.set("After", Value::Units(&[bound]));
}

/// What takes everything over the image along when it goes.
fn bound_image<'a>(app: &App, names: &'a Names, unit: &mut Unit) -> &'a UnitName {
    if fallback(app).is_none() {
        return &names.image;
    }
    // The image's mount has a condition, and BindsTo= would refuse the app when it is false.
    unit.set("Requires", Value::Units(&[&names.image]));
    unit.set("After", Value::Units(&[&names.image]));
    &names.verity
}

/// What the root waits for: the image, or what stands in for it, and the writable side.
fn bind_root(app: &App, names: &Names, unit: &mut Unit) {
    let mut bound = vec![bound_image(app, names, unit)];
    if app.overlay.mode != OverlayMode::None {
        bound.push(&names.overlay);
    }
    unit.set("BindsTo", Value::Units(&bound));
    unit.set("After", Value::Units(&bound));
}

/// The read-only layers, topmost first.
fn lower(app: &App, names: &Names) -> Vec<String> {
    let mut lower: Vec<String> = app.overlay.layers.iter().map(ToString::to_string).collect();
    lower.push(if fallback(app).is_some() { names.paths.tree() } else { names.paths.image() });
    if !super::points(app).is_empty() {
        lower.push(names.paths.points());
    }
    // Overlayfs wants two layers if there is no upper one; an empty skeleton never hurts.
    let alone = lower.len() == 1 && app.overlay.mode == OverlayMode::None;
    if app.skeleton == Skeleton::Under || alone {
        lower.push(layout::SKELETON.to_owned());
    }
    lower
}

fn bound_to(app: &App, name: &UnitName) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    unit.set("BindsTo", Value::Units(&[name]));
    unit.set("After", Value::Units(&[name]));
    unit
}

fn mount(unit: &mut Unit, what: &str, place: &str, kind: &'static str) {
    unit.section("Mount");
    unit.set("What", Value::What(what));
    unit.set("Where", Value::Path(place));
    unit.set("Type", Value::Word(kind));
}

/// Options of every mount: no devices, and no set-id programs but in the profile that may gain privileges.
fn options(app: &App, first: &str) -> Vec<String> {
    let nosuid = (app.service.profile != Profile::Trusted).then_some("nosuid");
    [Some(first), Some("nodev"), nosuid].into_iter().flatten().map(str::to_owned).collect()
}
