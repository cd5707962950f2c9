//! Reads `[service]`: what runs, as whom, and what of the host it sees.
//! Addresses and times are `listen`'s, settings without a key `directives`'.
//! The keys are veneer.app(5)'s; what may stand in them follows systemd.service(5) and systemd.exec(5).

use super::keys::APP;
use super::node::{At, Kind};
use super::read::{Field, Fields};
use super::report::{Report, did_you_mean};
use super::settings::Host;
use super::text::{AppState, AppText, File};
use super::{directives, listen};
use crate::app::{Access, Bind, Credential, Missing, Profile, Service, ServiceType, State, User};
use crate::name::{AppId, UserName};
use crate::path::AbsPath;
use crate::unit::{Arg, CredentialName, EnvVar};

const TYPES: [ServiceType; 3] = [ServiceType::Exec, ServiceType::Notify, ServiceType::Oneshot];
const PROFILES: [Profile; 4] = [Profile::Strict, Profile::Default, Profile::Nonetwork, Profile::Trusted];
/// Total of an Exec line before escaping; systemd takes a line of a megabyte, escapes may take four bytes for one.
const EXEC_MAX: usize = 200 << 10;

pub(super) fn read(section: Fields<'_, '_>, text: &AppText, host: &Host<'_>, report: &mut Report) -> Option<Service> {
    let kind = section.get("type").and_then(|field| field.choice(report, &ServiceType::NAMES));
    let profile = section.get("profile").and_then(|field| field.choice(report, &Profile::NAMES));
    let state = section.get("state").and_then(|field| field.boolean(report));
    let user = section.get("user").and_then(|field| user(field, report)).unwrap_or(User::Dynamic);
    let exec = exec(section, &text.file, report);
    let environment = environment(section.section(APP, "service.environment", report), report);
    let credentials = credentials(section.section(APP, "service.credentials", report), report);
    let binds = section.get("bind").map(|field| binds(field, report)).unwrap_or_default();
    let listen = section.get("listen").map(|field| listen::listen(field, report)).unwrap_or_default();
    let schedule = section.get("schedule").map(|field| listen::schedule(field, report)).unwrap_or_default();
    let apps = |key, report: &mut Report| section.get(key).map(|field| apps(field, text, host, report));
    let (after, requires) = (apps("after", report).unwrap_or_default(), apps("requires", report).unwrap_or_default());
    let directives = directives::read(section.section(APP, "service.directives", report), &user, &text.id, report);
    Some(Service {
        kind: kind.map_or(ServiceType::default(), |at| TYPES[at]),
        exec: exec?,
        user,
        environment,
        profile: profile.map_or(Profile::default(), |at| PROFILES[at]),
        state: if state == Some(true) { State::Kept } else { State::None },
        binds,
        credentials,
        listen,
        schedule,
        after,
        requires,
        directives,
    })
}

fn user(field: Field<'_, '_>, report: &mut Report) -> Option<User> {
    match field.text(report)? {
        "dynamic" => Some(User::Dynamic),
        _ => field.parse(report, UserName::parse).map(User::Named),
    }
}

fn exec(section: Fields<'_, '_>, file: &File, report: &mut Report) -> Option<Vec<Arg>> {
    let Some(field) = section.get("exec") else {
        if section.is_broken() {
            return None;
        }
        let text = "the app has nothing to run: write exec = [\"/PATH/OF/PROGRAM\", \"ARGUMENT\"] in [service]";
        report.missing(section.at, file, section.key("exec"), text);
        return None;
    };
    if let Kind::Text(line) = field.kind {
        let words: Vec<&str> = line.split_whitespace().collect();
        field.error(report, format!("wants an array of strings, program first: write exec = {words:?}"));
        return None;
    }
    let items = field.items(report, "an array of strings, program first");
    let mut argv = Vec::with_capacity(items.len());
    for (at, node) in items.iter().enumerate() {
        let parse = if at == 0 { Arg::program } else { Arg::parse };
        argv.extend(field.item(node).parse(report, parse));
    }
    if items.is_empty() && matches!(field.kind, Kind::Array(_)) {
        field.error(report, "is empty: the program comes first, by its absolute path in the image");
    }
    if argv.iter().map(|arg| arg.as_str().len()).sum::<usize>() > EXEC_MAX {
        field.error(report, format!("program and arguments have more than {EXEC_MAX} bytes together"));
    }
    (!argv.is_empty() && argv.len() == items.len()).then_some(argv)
}

fn environment(section: Fields<'_, '_>, report: &mut Report) -> Vec<EnvVar> {
    let mut variables = Vec::new();
    for (name, field) in section.all() {
        let Some(value) = field.scalar(report, "a string or a number") else {
            continue;
        };
        match EnvVar::parse(name, value) {
            Ok(variable) => variables.push(variable),
            Err(reason) => field.error(report, reason),
        }
    }
    variables.sort();
    variables
}

fn credentials(section: Fields<'_, '_>, report: &mut Report) -> Vec<Credential> {
    let mut credentials = Vec::new();
    for (name, field) in section.all() {
        if let Err(reason) = CredentialName::parse(name) {
            field.error(report, reason);
        }
        credentials.extend(field.parse(report, AbsPath::parse).map(|file| Credential { name: name.into(), file }));
    }
    credentials.sort_by(|a, b| a.name.cmp(&b.name));
    credentials
}

fn binds(field: Field<'_, '_>, report: &mut Report) -> Vec<Bind> {
    let Kind::Array(_) = field.kind else {
        field.error(
            report,
            format!("wants an array of tables, not {}: {}", field.kind.what(), bind_example(field.kind)),
        );
        return Vec::new();
    };
    let items = field.items(report, "an array of tables");
    let mut binds: Vec<(At<'_>, Bind)> = Vec::with_capacity(items.len());
    for node in items {
        let item = Fields::from_field(APP, "service.bind", field.item(node), report);
        let Some((at, bind)) = bind(item, report) else { continue };
        match binds.iter().find(|(_, other)| other.target == bind.target) {
            Some((other, _)) => {
                let text = format!("{} is bound twice, first at {}", bind.target, other.seen_from(at));
                report.error(at, item.key("target"), text);
            }
            None => binds.push((at, bind)),
        }
    }
    binds.into_iter().map(|(_, bind)| bind).collect()
}

/// The form to write, with what was typed if it is `SOURCE:TARGET`.
fn bind_example(typed: &Kind<'_>) -> String {
    let words = if let Kind::Text(text) = typed { text.split_once(':') } else { None };
    let (source, target) = words.unwrap_or(("/ON/HOST", "/IN/APP"));
    format!("write bind = [{{ source = {source:?}, target = {target:?} }}]")
}

fn bind<'a>(item: Fields<'_, 'a>, report: &mut Report) -> Option<(At<'a>, Bind)> {
    let source = item.get("source");
    let target = item.get("target");
    for (key, field) in [("source", source), ("target", target)] {
        if let (None, Some(at)) = (field, item.at.filter(|_| item.is_table())) {
            report.error(
                at,
                item.key(key),
                format!("the bind has no `{key}`: write {{ source = \"/ON/HOST\", target = \"/IN/APP\" }}"),
            );
        }
    }
    let read_only = item.get("read-only").and_then(|field| field.boolean(report));
    let optional = item.get("optional").and_then(|field| field.boolean(report));
    let source_path = source.and_then(|field| field.parse(report, AbsPath::parse));
    let target_path = target.and_then(|field| field.parse(report, bind_target));
    let bind = Bind {
        source: source_path?,
        target: target_path?,
        access: if read_only == Some(true) { Access::ReadOnly } else { Access::ReadWrite },
        missing: if optional == Some(true) { Missing::Ignored } else { Missing::Fails },
    };
    Some((target?.at, bind))
}

fn bind_target(text: &str) -> Result<AbsPath, String> {
    let path = target(text)?;
    if path.is_root() {
        return Err("the app's root is its image: a bind over / would hide it".into());
    }
    Ok(path)
}

/// A path in the app's root over which systemd and Veneer mount nothing of their own.
pub(super) fn target(text: &str) -> Result<AbsPath, String> {
    let path = AbsPath::parse(text)?;
    let below =
        |dir: &str| path.as_str().strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(dir) = ["/proc", "/sys", "/dev", "/run/veneer", "/run/credentials"].into_iter().find(|dir| below(dir)) {
        return Err(format!("{path} lies in {dir}, which every app has of its own"));
    }
    if matches!(path.as_str(), "/run" | "/run/systemd") {
        return Err(format!("{path} has systemd's own sockets in every app: take a directory below it"));
    }
    Ok(path)
}

/// Ids of other apps; one that nobody configures is a warning, since it may come later.
fn apps(field: Field<'_, '_>, own: &AppText, host: &Host<'_>, report: &mut Report) -> Vec<AppId> {
    let ids = field.list(report, AppId::parse);
    let mut kept = Vec::with_capacity(ids.len());
    for (at, id) in ids {
        if id == own.id {
            report.error(at, field.key, "an app cannot wait for itself");
        } else if let Some(doubt) = doubt(&id, own, host) {
            report.warning(at, field.key, doubt);
        }
        if !kept.contains(&id) {
            kept.push(id);
        }
    }
    kept
}

fn doubt(id: &AppId, own: &AppText, host: &Host<'_>) -> Option<String> {
    match host.text.app(id.as_str()).map(AppText::state) {
        Some(AppState::Configured) => None,
        Some(AppState::Masked) => Some(format!("the app {:?} is masked", id.as_str())),
        None => {
            let others = host.text.apps.iter().filter(|app| app.id != own.id);
            let near = did_you_mean(id.as_str(), others.map(|app| app.id.as_str()));
            Some(format!("there is no app {:?}{near}", id.as_str()))
        }
    }
}
