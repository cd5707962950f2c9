//! The templates of an app's sessions: `veneer-clone-ID@` makes the copy, `app-session-ID@` runs the app in one.
//! Nothing is generated for an app that asks for no sessions, and nothing per session: its name is the instance.
//! What is the same for all is in `units/veneer-clone-@.service.d` and `units/app-session-@.service.d`, which systemd
//! applies to every template whose name begins so (systemd.unit(5), "foo-.service.d").

use super::verity::{helper, image_arguments};
use super::{Names, fallback, making, mounts, service};
use crate::app::{App, FileSystem, Image, ImageFile, Profile, Reflink, SessionKind, Sessions, Settings, Skeleton};
use crate::layout::{self, PROFILES, SESSION_DATA, SESSIONS};
use crate::name::AppId;
use crate::unit::{Content, DROP_IN, Duplicate, Unit, UnitName, UnitSet, Value};

/// Whether a session can be something that an app runs in, and not a disk.
fn has_root(app: &App, sessions: &Sessions) -> bool {
    let disk = matches!(&app.image, Image::File(ImageFile { kind: FileSystem::Ext4, fallback: None, .. }));
    match sessions.kind {
        SessionKind::Tree | SessionKind::Overlay => true,
        SessionKind::Auto => !disk,
        SessionKind::Image => false,
    }
}

/// Whether a session needs the app's image mounted.
fn needs_chain(app: &App, kind: SessionKind) -> bool {
    match kind {
        SessionKind::Image => false,
        SessionKind::Tree => matches!(app.image, Image::File(_)),
        SessionKind::Auto | SessionKind::Overlay => true,
    }
}

pub(super) fn plan(app: &App, names: &Names, set: &mut UnitSet) -> Result<(), Duplicate> {
    let Some(sessions) = &app.sessions else { return Ok(()) };
    set.unit(&clone_template(&app.id), clone(app, names, sessions))?;
    if has_root(app, sessions) {
        let template = run_template(&app.id);
        set.unit(&template, run(app))?;
        set.drop_in(&template, service::of_session(app, names))?;
        if app.service.profile != Profile::Strict {
            let profile = format!("{PROFILES}/{}.conf", app.service.profile.name());
            set.drop_in_link(&template, service::PROFILE_DROP_IN, profile)?;
        }
    }
    Ok(())
}

/// The files of an app's sessions, below the generator's directory.
pub fn files(id: &AppId) -> Vec<String> {
    let run = run_template(id);
    vec![
        clone_template(id).to_string(),
        run.to_string(),
        format!("{run}.d/{}", crate::unit::DROP_IN),
        format!("{run}.d/{}", service::PROFILE_DROP_IN),
    ]
}

fn clone_template(id: &AppId) -> UnitName {
    UnitName::template_of("veneer-clone", id)
}

fn run_template(id: &AppId) -> UnitName {
    UnitName::template_of("app-session", id)
}

/// Where a session's root is: before the instance, and behind it.
pub(super) fn root(id: &AppId) -> (String, &'static str) {
    (format!("{SESSIONS}/{id}/"), "/root")
}

/// What removes the sessions of an app that is configured no more, while there are some; and what has each go with the
/// program that runs in it, if one does.
pub fn leftover(id: &AppId) -> UnitSet {
    let (mut copy, mut run) = (Unit::untold(), Unit::untold());
    follow(id, &mut run);
    let explain = helper(&["veneer-explain", id.as_str()]);
    for unit in [&mut copy, &mut run] {
        unit.section("Service");
        unit.set("ExecStart", Value::Exec { prefix: "", argv: &explain });
    }
    remove(id, &mut copy);
    let mut set = UnitSet::default();
    // The only two in this set, and their names differ.
    let _ = set.unit(&clone_template(id), copy);
    let _ = set.unit(&run_template(id), run);
    set
}

/// What has the boot look for leftovers where `veneer.toml` has put sessions; nothing where that says nothing.
pub fn reaper(settings: &Settings) -> UnitSet {
    let mut set = UnitSet::default();
    let directory = settings.sessions.as_str();
    if directory == SESSION_DATA {
        return set;
    }
    let mut unit = Unit::of_host();
    unit.set("RequiresMountsFor", Value::Paths(&[directory]));
    unit.set("ConditionDirectoryNotEmpty", Value::Reset);
    unit.section("Service");
    unit.set("ExecStart", Value::Reset);
    let both = [SESSION_DATA, directory].map(|directory| format!("--in={directory}"));
    let words = ["veneer-clone", "reap", &both[0], &both[1]];
    unit.set("ExecStart", Value::Exec { prefix: "", argv: &helper(&words) });
    // The only one in this set.
    let _ = set.add(format!("veneer-session-reap.service.d/{DROP_IN}"), Content::File(unit.into_text()));
    set
}

fn clone(app: &App, names: &Names, sessions: &Sessions) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    let behind = format!(" of app {}", app.id);
    unit.set("Description", Value::OfInstance { before: "Session ", after: &behind });
    if needs_chain(app, sessions.kind) {
        mounts::bind_image(app, names, &mut unit);
    } else if making(app).is_some() {
        unit.set("Requires", Value::Units(&[&names.convert]));
        unit.set("After", Value::Units(&[&names.convert]));
    }
    let (mut image, mut needs) = (Vec::new(), vec![sessions.directory.as_str()]);
    needs.extend(image_arguments(&app.image, &mut image));
    needs.extend(app.overlay.layers.iter().map(|layer| layer.as_str()));
    unit.set("RequiresMountsFor", Value::Paths(&needs));
    unit.section("Service");
    let before = helper(&["veneer-clone", "create", app.id.as_str()]);
    let mut words = arguments(app, names, sessions);
    words.extend(image);
    let after = super::verity::arguments(&words);
    unit.set("ExecStart", Value::ExecOfInstance { prefix: "", before: &before, after: &after });
    remove(&app.id, &mut unit);
    unit
}

/// From the names alone: it needs nothing that may be gone.
fn remove(id: &AppId, unit: &mut Unit) {
    let before = helper(&["veneer-clone", "remove", id.as_str()]);
    unit.set("ExecStopPost", Value::ExecOfInstance { prefix: "", before: &before, after: &[] });
}

fn arguments(app: &App, names: &Names, sessions: &Sessions) -> Vec<String> {
    let mut words = vec![format!("--kind={}", sessions.kind.name()), format!("--in={}", sessions.directory)];
    if sessions.reflink != Reflink::Auto {
        words.push(format!("--reflink={}", sessions.reflink.name()));
    }
    words.extend(sessions.resize.map(|size| format!("--resize={}", size.bytes())));
    words.push(format!("--limit={}", sessions.limits.per_app));
    words.push(format!("--limit-in-all={}", sessions.limits.in_all));
    if matches!(sessions.kind, SessionKind::Auto | SessionKind::Overlay) {
        words.extend(lower(app, names).iter().map(|layer| format!("--lower={layer}")));
        if app.service.profile == Profile::Trusted {
            words.push("--set-id=honoured".to_owned());
        }
    }
    words
}

/// The layers of the app's own root, topmost first.
fn lower(app: &App, names: &Names) -> Vec<String> {
    let mut lower: Vec<String> = app.overlay.layers.iter().map(ToString::to_string).collect();
    lower.push(if fallback(app).is_some() { names.paths.tree() } else { names.paths.image() });
    if !super::points(app).is_empty() {
        lower.push(names.paths.points());
    }
    if app.skeleton == Skeleton::Under {
        lower.push(layout::SKELETON.to_owned());
    }
    lower
}

fn run(app: &App) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    let behind = match &app.description {
        Some(description) => format!(" of {}", description.as_str()),
        None => format!(" of app {}", app.id),
    };
    unit.set("Description", Value::OfInstance { before: "Session ", after: &behind });
    follow(&app.id, &mut unit);
    service::order(&app.service, &mut unit);
    unit
}

/// The copy comes before who runs in it, and goes with that, also when it crashes.
fn follow(id: &AppId, unit: &mut Unit) {
    let copy = UnitName::instance_of("veneer-clone", id);
    for key in ["BindsTo", "After", "PropagatesStopTo"] {
        unit.set(key, Value::Units(&[&copy]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_in_a_leftover_session_takes_it_along_when_it_stops() {
        let id = AppId::parse("gone").expect("an id");
        let shown = leftover(&id).to_string();
        for line in ["BindsTo", "After", "PropagatesStopTo"].map(|key| format!("{key}=veneer-clone-gone@%i.service\n"))
        {
            assert!(shown.contains(&line), "{line} in {shown}");
        }
        assert!(shown.contains("app-session-gone@.service") && shown.contains("clone remove gone %i"), "{shown}");
    }
}
