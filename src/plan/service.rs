//! The drop-in of an app's own service, and the link to its sandbox profile.
//! The strict profile is `app@.service` itself; what is written here is what differs from app to app.
//! Settings are those of systemd.service(5) and systemd.exec(5).

use super::verity::helper;
use super::{Names, root, session};
use crate::app::{Access, App, Listen, Missing, OverlayMode, Profile, Service, ServiceType, State, User};
use crate::layout::PROFILES;
use crate::name::{AppId, UserName};
use crate::unit::{Duplicate, EnvVar, Unit, UnitName, UnitSet, Value};

/// The profile's link sorts before our drop-in, so that the app's own directives win over it.
pub(super) const PROFILE_DROP_IN: &str = "40-veneer-profile.conf";

pub(super) fn plan(app: &App, names: &Names, set: &mut UnitSet) -> Result<(), Duplicate> {
    set.drop_in(&names.app, drop_in(app, names))?;
    if app.service.profile != Profile::Strict {
        let profile = format!("{PROFILES}/{}.conf", app.service.profile.name());
        set.drop_in_link(&names.app, PROFILE_DROP_IN, profile)?;
    }
    Ok(())
}

/// The state directory as `StateDirectory=` names it: apart from those of the host's own services.
fn state_directory(id: &AppId) -> String {
    format!("veneer/state/{id}")
}

/// Where a state directory is mounted in the root.
pub(super) fn state_point(id: &AppId) -> String {
    format!("/var/lib/{}", state_directory(id))
}

fn drop_in(app: &App, names: &Names) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    if let Some(description) = &app.description {
        unit.set("Description", Value::Text(description));
    }
    let (_, mount) = root(app, names);
    unit.set("BindsTo", Value::Units(&[mount]));
    unit.set("Requires", Value::Units(&[&names.check]));
    unit.set("After", Value::Units(&[mount, &names.check]));
    order(&app.service, &mut unit);
    if super::making(app).is_some() {
        unit.set("OnFailure", Value::Units(&[&names.rollback]));
    }
    unit.section("Service");
    run(app, names, Of::App, &mut unit);
    user(app, Of::App, &mut unit);
    see(app, &mut unit);
    for directive in &app.service.directives {
        unit.directive(directive);
    }
    unit
}

/// The drop-in of the template of an app's sessions: the app's own service, in another root.
pub(super) fn of_session(app: &App, names: &Names) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    unit.section("Service");
    // As the app's own lines have it; the unit says which session.
    unit.set("SyslogIdentifier", Value::Path(app.id.as_str()));
    run(app, names, Of::Session, &mut unit);
    user(app, Of::Session, &mut unit);
    see(app, &mut unit);
    for directive in &app.service.directives {
        unit.directive(directive);
    }
    unit
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// The app itself.
    App,
    /// A session of it, in a template.
    Session,
}

/// Other apps, and the host's paths that the app is to see.
pub(super) fn order(service: &Service, unit: &mut Unit) {
    let names = |ids: &[AppId]| ids.iter().map(|id| UnitName::service_of("app", id)).collect::<Vec<_>>();
    let (requires, after) = (names(&service.requires), names(&service.after));
    let requires: Vec<&UnitName> = requires.iter().collect();
    if !requires.is_empty() {
        unit.set("Requires", Value::Units(&requires));
    }
    let after: Vec<&UnitName> = requires.into_iter().chain(&after).collect();
    if !after.is_empty() {
        unit.set("After", Value::Units(&after));
    }
    let kept = service.binds.iter().filter(|bind| bind.missing == Missing::Fails);
    let paths: Vec<&str> = kept.map(|bind| bind.source.as_str()).collect();
    if !paths.is_empty() {
        unit.set("RequiresMountsFor", Value::Paths(&paths));
    }
}

/// What is executed, where.
fn run(app: &App, names: &Names, of: Of, unit: &mut Unit) {
    unit.set("Type", Value::Word(app.service.kind.name()));
    if app.service.kind == ServiceType::Notify {
        unit.set("NotifyAccess", Value::Word("main"));
    }
    own(app, of, unit);
    unit.set("ExecStart", Value::Reset);
    unit.set("ExecStart", Value::Exec { prefix: "", argv: &app.service.exec });
    match of {
        Of::App => unit.set("RootDirectory", Value::Path(&root(app, names).0)),
        Of::Session => {
            let (before, after) = session::root(&app.id);
            unit.set("RootDirectory", Value::OfInstance { before: &before, after });
            unit.set("Environment", Value::OfInstance { before: "VENEER_SESSION=", after: "" })
        }
    };
    for var in app.service.environment.iter().chain(&state_variable(app, of)) {
        unit.set("Environment", Value::Env(var));
    }
}

/// Has directories of the root given to the user.
fn own(app: &App, of: Of, unit: &mut Unit) {
    let paths = owned(app, of);
    if paths.is_empty() {
        return;
    }
    let name = format!("--user={}", user_name(app));
    let mut words = vec!["veneer-overlay", "own", app.id.as_str(), &name];
    match of {
        Of::App => {
            words.extend(paths.iter().map(String::as_str));
            unit.set("ExecStartPre", Value::Exec { prefix: "+", argv: &helper(&words) });
        }
        Of::Session => {
            words.push("--session");
            let (before, after) = (helper(&words), super::verity::arguments(&paths));
            unit.set("ExecStartPre", Value::ExecOfInstance { prefix: "+", before: &before, after: &after });
        }
    }
}

/// The directories of the root that the user is given. A session keeps its state to itself, in its own root.
fn owned(app: &App, of: Of) -> Vec<String> {
    let writable = match of {
        Of::App if app.overlay.mode == OverlayMode::None => &[][..],
        _ => app.overlay.writable.as_slice(),
    };
    let state = (of == Of::Session && app.service.state == State::Kept).then(|| state_point(&app.id));
    writable.iter().map(ToString::to_string).chain(state).collect()
}

/// What systemd says of a `StateDirectory=`.
fn state_variable(app: &App, of: Of) -> Option<EnvVar> {
    let kept = of == Of::Session && app.service.state == State::Kept;
    kept.then(|| EnvVar::parse("STATE_DIRECTORY", &state_point(&app.id)).ok()).flatten()
}

fn user_name(app: &App) -> UserName {
    match &app.service.user {
        User::Dynamic => UserName::for_app(&app.id),
        User::Named(name) => name.clone(),
    }
}

/// Who runs it, and where it may write.
fn user(app: &App, of: Of, unit: &mut Unit) {
    let name = user_name(app);
    if matches!(app.service.user, User::Named(_)) {
        unit.set("DynamicUser", Value::Word("no"));
        if of == Of::Session || app.overlay.mode != OverlayMode::None {
            // The root is the app's own copy: all of it may be written.
            unit.set("ProtectSystem", Value::Word("no"));
        }
    }
    unit.set("User", Value::Path(name.as_str()));
    let writable: Vec<String> = owned(app, of).iter().map(|path| format!("-+{path}")).collect();
    let writable: Vec<&str> = writable.iter().map(String::as_str).collect();
    if !writable.is_empty() {
        // "+": below the app's root; "-": systemd sets this up for ExecStartPre= as well, whose root has no such
        // directory, and in the app's own it is only made by then (systemd.exec(5)).
        unit.set("ReadWritePaths", Value::Paths(&writable));
    }
    if of == Of::App && app.service.state == State::Kept {
        unit.set("StateDirectory", Value::Path(&state_directory(&app.id)));
    }
}

/// What of the host it sees.
fn see(app: &App, unit: &mut Unit) {
    for bind in &app.service.binds {
        let setting = match bind.access {
            Access::ReadOnly => "BindReadOnlyPaths",
            Access::ReadWrite => "BindPaths",
        };
        let prefix = match bind.missing {
            Missing::Fails => "",
            Missing::Ignored => "-",
        };
        unit.set(setting, Value::Bind { prefix, source: &bind.source, target: &bind.target });
    }
    for credential in &app.service.credentials {
        unit.set("LoadCredential", Value::Credential { name: &credential.name, file: &credential.file });
    }
}

/// The setting a socket's address goes into.
pub(super) fn listen(listen: &Listen) -> (&'static str, Value<'_>) {
    match listen {
        Listen::Stream(text) => ("ListenStream", Value::Text(text)),
        Listen::Datagram(text) => ("ListenDatagram", Value::Text(text)),
    }
}
