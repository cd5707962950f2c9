//! From a checked app to its units: which, in what order, bound to what.
//! Pure: it reads no disk and knows no image; what depends on the machine's state is left to conditions,
//! `RequiresMountsFor=` and the helpers at start (systemd.generator(7)).
//! What is the same for every app is in `units/` and not written again here.

mod chain;
mod making;
mod mounts;
mod service;
mod session;
mod trigger;
mod verity;

pub use chain::{chain_digest, chain_files, digest_in, unit_files};
pub use making::{make_words, pull_words};
pub use session::{files as session_files, leftover as leftover_sessions, reaper};

use crate::app::{App, Autostart, Image, ImageFile, ImagePlace, Making, OverlayMode, Skeleton};
use crate::layout::AppPaths;
use crate::name::AppId;
use crate::unit::{Duplicate, UnitName, UnitSet};

/// All units, drop-ins and links of one app.
pub fn units(app: &App) -> Result<UnitSet, Duplicate> {
    let names = Names::new(&app.id);
    let mut set = UnitSet::default();
    mounts::plan(app, &names, &mut set)?;
    making::plan(app, &names, &mut set)?;
    verity::plan(app, &names, &mut set)?;
    service::plan(app, &names, &mut set)?;
    trigger::plan(app, &names, &mut set)?;
    session::plan(app, &names, &mut set)?;
    Ok(set)
}

/// The names and paths of one app's units.
#[derive(Clone, Debug)]
pub struct Names {
    /// The app's own service.
    pub app: UnitName,
    /// What looks, before each start, whether its chain is still the right one.
    pub check: UnitName,
    /// What checks and opens its image; the anchor of its chain.
    pub verity: UnitName,
    /// What fetches or builds the container image that its image is made of.
    pub pull: UnitName,
    /// What makes its image of a container image.
    pub convert: UnitName,
    /// What goes back to the version before when an update does not come up.
    pub rollback: UnitName,
    /// What prepares its upper layer.
    pub overlay: UnitName,
    /// Its image.
    pub image: UnitName,
    /// The tmpfs of its volatile overlay.
    pub rw: UnitName,
    /// Its root.
    pub root: UnitName,
    /// Its socket.
    pub socket: UnitName,
    /// Its timer.
    pub timer: UnitName,
    /// Its directories.
    pub paths: AppPaths,
}

impl Names {
    /// The names for this id.
    pub fn new(id: &AppId) -> Self {
        let paths = AppPaths::new(id);
        Self {
            app: UnitName::service_of("app", id),
            check: UnitName::service_of("veneer-check", id),
            verity: UnitName::service_of("veneer-verity", id),
            pull: UnitName::service_of("veneer-pull", id),
            convert: UnitName::service_of("veneer-convert", id),
            rollback: UnitName::service_of("veneer-rollback", id),
            overlay: UnitName::service_of("veneer-overlay", id),
            image: UnitName::mount_of(&paths.image()),
            rw: UnitName::mount_of(&paths.rw()),
            root: UnitName::mount_of(&paths.root()),
            socket: UnitName::beside(id, "socket"),
            timer: UnitName::beside(id, "timer"),
            paths,
        }
    }
}

/// Whether the app's root is an overlay, or the image's mount itself.
fn has_root_overlay(app: &App) -> bool {
    app.skeleton == Skeleton::Under
        || app.overlay.mode != OverlayMode::None
        || !app.overlay.layers.is_empty()
        || fallback(app).is_some()
}

/// The app's root and the mount that makes it.
fn root<'a>(app: &App, names: &'a Names) -> (String, &'a UnitName) {
    if has_root_overlay(app) { (names.paths.root(), &names.root) } else { (names.paths.image(), &names.image) }
}

fn fallback(app: &App) -> Option<&crate::path::AbsPath> {
    match &app.image {
        Image::File(ImageFile { fallback, .. }) => fallback.as_ref(),
        Image::Directory(_) => None,
    }
}

/// How the app's image is made, if it is.
fn making(app: &App) -> Option<&Making> {
    match &app.image {
        Image::File(ImageFile { place: ImagePlace::Made(making), .. }) => Some(making),
        _ => None,
    }
}

/// Mount points that the app needs in its root and that an image may lack: `veneer-verity` makes a
/// layer of them, below the image, where there is an overlay to hold it.
fn points(app: &App) -> Vec<String> {
    if !has_root_overlay(app) {
        return Vec::new();
    }
    let state = (app.service.state == crate::app::State::Kept).then(|| service::state_point(&app.id));
    let binds = app.service.binds.iter().map(|bind| format!("{}:{}", bind.target, bind.source));
    binds.chain(state).collect()
}

/// Which target wants what of an app at boot.
fn wanted(app: &App, names: &Names) -> Vec<(&'static str, UnitName, &'static str)> {
    if app.autostart == Autostart::No {
        return Vec::new();
    }
    let mut wants = Vec::new();
    if !app.service.listen.is_empty() {
        wants.push(("sockets.target", names.socket.clone(), "socket"));
    }
    if !app.service.schedule.is_empty() {
        wants.push(("timers.target", names.timer.clone(), "timer"));
    }
    if wants.is_empty() {
        wants.push(("multi-user.target", names.app.clone(), "service"));
    }
    wants
}
