//! What a user may have done to overlays over the host: the same as root's, after it was found to be theirs to ask for.
//! It mounts nothing; `host::overlay` does. It asks polkit, counts, and has the source copied and checked.
//! The order is docs/overlays.md's ("Users"): refuse what costs nothing to refuse, ask, copy, check, count again, do.

use super::closed;
use super::copy::{Copied, Copier, Kind};
use super::inspect;
use super::peer::{Peer, groups_of_owner};
use super::polkit::{self, Question};
use super::rights::{Rights, take_groups};
use super::slot;
use super::staging::Staging;
use crate::config::Host;
use crate::host::config_files;
use crate::host::journal::{Caller, Journal};
use crate::host::overlay::registry::{self, Registry};
use crate::host::overlay::{act, apply as laying, busy, copy as tree, recover, remove as removal, target, version};
use crate::host::trusted::{Trusted, Wanted as Sought};
use crate::overlay::record::{Act, Lifetime as Stay, Mode, Version};
use crate::overlay::{OverlayName, OverlayPaths, Record, Spec};
use crate::path::AbsPath;
use crate::request::call::{Access, Apply, Busy, Dry, Interaction, Lifetime};
use crate::request::{Denial, Holding, Rules};
use crate::sysexits::Exit;
use crate::unit::Text;
use crate::verity::Fault;
use rustix::fd::OwnedFd;
use serde_json::{Value, json};
use std::path::Path;

/// Lays a copy of a user's source over the host.
pub(super) fn apply(peer: &Peer, ask: &Apply, mut descriptors: Vec<OwnedFd>) -> Result<Value, Denial> {
    let source = descriptors.pop().ok_or_else(|| Denial::refused("no source came along"))?;
    let rules = rules()?;
    let mut spec = spec(peer, ask)?;
    take_groups(peer)?;
    spec.target = settled(peer, &ask.target)?;
    let registry = Registry::read().map_err(failed)?;
    not_of_others(peer, registry.find(&ask.name))?;
    laying::plan(&[&spec], &registry).map_err(failed)?;
    let writable = if spec.mode == Mode::Writable { spec.size } else { 0 };
    let asker = peer.asker();
    rules.fits(&asker, &holdings(&registry, Some(&ask.name))?, writable)?;
    authorize(peer, ask, &spec)?;

    let staging = Staging::of(peer.uid).map_err(failed)?;
    let room = rules.room(&asker, &holdings(&registry, Some(&ask.name))?)?.saturating_sub(writable);
    let (kind, copied) = Copier::new(peer, &rules, room).run(&source, &staging.directory)?;
    if ask.dry == Dry::Run {
        return Ok(told(&spec, &copied));
    }
    spec.source = staging.at(if kind == Kind::Directory { "tree" } else { "file" }).map_err(failed)?;
    // From here on nobody else's request changes what was counted.
    let _alone = slot::one_at_a_time().map_err(failed)?;
    let registry = Registry::read().map_err(failed)?;
    let bytes = copied.bytes.saturating_add(writable);
    rules.fits(&asker, &holdings(&registry, Some(&ask.name))?, bytes)?;
    lay(&spec, &rules, &copied)?;
    Ok(told(&spec, &copied))
}

fn lay(spec: &Spec, rules: &Rules, copied: &Copied) -> Result<(), Denial> {
    let source = version::open(spec.source.as_str()).map_err(failed)?;
    let limits = tree::Limits { bytes: copied.bytes, entries: copied.files };
    let base = OverlayPaths::new(&spec.name, spec.lifetime).base();
    // Before the first version, nothing hides the target.
    let is_hidden = target::mounts().map_err(failed)?.top(&base).is_some();
    let beneath = if is_hidden { base.as_str() } else { spec.target.as_str() };
    let inspect = |path: &Path| {
        inspect::inspect(path, rules)?;
        closed::refuse_opening(path, Path::new(beneath))
    };
    let request = laying::Request { spec: spec.clone(), source, limits, by: Act::Apply, inspect: &inspect };
    laying::apply(&[request], &journal()).map(drop).map_err(failed)
}

fn authorize(peer: &Peer, ask: &Apply, spec: &Spec) -> Result<(), Denial> {
    let size = if spec.mode == Mode::Writable { spec.size.to_string() } else { "0".into() };
    let details = [
        ("target", spec.target.as_str()),
        ("name", ask.name.as_str()),
        ("access", spec.mode.name()),
        ("lifetime", spec.lifetime.name()),
        ("size", size.as_str()),
    ];
    let sentence = "Authentication is required to lay the overlay $(name) over $(target), for everybody";
    polkit::ask(peer, Question { action: polkit::APPLY, details: &details, sentence }, ask.interaction)
}

/// What a user asks for, in an administrator's terms; the target is filled in when it has been looked at.
fn spec(peer: &Peer, ask: &Apply) -> Result<Spec, Denial> {
    let mut spec = Spec::new(ask.name.clone(), ask.target.clone(), ask.target.clone());
    spec.owner = peer.uid;
    spec.lifetime = match ask.wanted.lifetime {
        Lifetime::Transient => Stay::Transient,
        Lifetime::Persistent => Stay::Persistent,
    };
    if let Access::Writable(size) = ask.wanted.access {
        spec.mode = Mode::Writable;
        spec.size = size.unwrap_or(spec.size);
        if spec.size < crate::overlay::spec::SIZE_MIN {
            return Err(Denial::refused("an overlay has at least 1M to be written"));
        }
    }
    let description = ask.wanted.description.as_deref().map(Text::parse).transpose();
    spec.description = description.map_err(Denial::Refused)?;
    Ok(spec)
}

/// A target without links, that nobody but root can put another thing in the place of: what polkit allows is what is
/// laid over. It is looked for with the user's own rights: nobody has been asked yet, so nobody learns what is where they
/// could not look themselves.
fn settled(peer: &Peer, typed: &AbsPath) -> Result<AbsPath, Denial> {
    let found = {
        let _rights = Rights::of(peer).map_err(|errno| Denial::Failed(format!("taking the user's rights: {errno}")))?;
        target::find(typed)
    };
    let found = found.map_err(|_| {
        Denial::refused(format!("the target {typed} is not there as a directory or a file, or you may not look at it"))
    })?;
    let sought = match found.kind {
        crate::overlay::record::Kind::Directory => Sought::Directory,
        crate::overlay::record::Kind::File => Sought::File,
    };
    match Trusted::host().and_then(|host| host.open(&found.path, sought)) {
        Ok(Some(_)) => Ok(found.path),
        Ok(None) => Err(Denial::refused(format!("the target {} is not there", found.path))),
        Err(error) => Err(Denial::refused(format!("{} is no target for users: {error:#}", found.path))),
    }
}

/// Drops what was written to a user's own overlay.
pub(super) fn reset(peer: &Peer, name: &OverlayName, interaction: Interaction) -> Result<Value, Denial> {
    let record = own(peer, name, &Registry::read().map_err(failed)?)?;
    let sentence = "Authentication is required to reset the overlay $(name) over $(target), for everybody";
    permit(peer, polkit::RESET, &record, sentence, interaction)?;
    let renewing = Renewing::begin(peer, name)?;
    let version = renewing.record.version().ok_or_else(|| Denial::Failed("it has no version in use".into()))?;
    renewing.fits(peer, version)?;
    act::reset(&renewing.record).map_err(failed)?;
    Ok(json!({}))
}

/// Goes back to an older version of a user's own overlay: to nothing that was not allowed before.
pub(super) fn rollback(
    peer: &Peer,
    name: &OverlayName,
    to: Option<u32>,
    interaction: Interaction,
) -> Result<Value, Denial> {
    let record = own(peer, name, &Registry::read().map_err(failed)?)?;
    let sentence = "Authentication is required to roll back the overlay $(name) over $(target), for everybody";
    permit(peer, polkit::RESET, &record, sentence, interaction)?;
    let renewing = Renewing::begin(peer, name)?;
    let from = act::wanted(&renewing.record, to).map_err(failed)?;
    renewing.fits(peer, from)?;
    let (new, _) = act::rollback(&renewing.record, to).map_err(failed)?;
    Ok(json!({ "version": new.current, "from": from.number }))
}

/// An overlay that is to have another version, while nobody else changes anything.
struct Renewing {
    record: Record,
    registry: Registry,
    _alone: slot::Slot,
    _lock: registry::Lock,
}

impl Renewing {
    fn begin(peer: &Peer, name: &OverlayName) -> Result<Self, Denial> {
        let alone = slot::one_at_a_time().map_err(failed)?;
        let lock = registry::lock().map_err(failed)?;
        let registry = recover::before_act(&journal()).map_err(failed)?;
        Ok(Self { record: own(peer, name, &registry)?, registry, _alone: alone, _lock: lock })
    }

    /// The version is one more, and counted like any other.
    fn fits(&self, peer: &Peer, from: &Version) -> Result<(), Denial> {
        let held = holdings(&self.registry, Some(&self.record.name))?;
        rules()?.fits(&peer.asker(), &held, self.record.bytes_again(from))
    }
}

/// Takes a user's own overlay away.
pub(super) fn remove(peer: &Peer, name: &OverlayName, busy: Busy, interaction: Interaction) -> Result<Value, Denial> {
    let record = own(peer, name, &Registry::read().map_err(failed)?)?;
    let sentence = "Authentication is required to remove the overlay $(name) from $(target), for everybody";
    permit(peer, polkit::REMOVE, &record, sentence, interaction)?;
    let _lock = registry::lock().map_err(failed)?;
    let record = own(peer, name, &recover::before_act(&journal()).map_err(failed)?)?;
    if busy == Busy::Refuse {
        let holders = busy::holders(&record).map_err(failed)?;
        if !holders.is_empty() {
            let shown: Vec<String> = holders.iter().take(10).map(|one| format!("{} ({})", one.name, one.pid)).collect();
            return Err(Denial::refused(format!("{name} is used by {}: --lazy detaches it", shown.join(", "))));
        }
    }
    removal::remove(&record).map_err(failed)?;
    Ok(json!({}))
}

fn permit(
    peer: &Peer,
    action: &'static str,
    record: &Record,
    sentence: &'static str,
    interaction: Interaction,
) -> Result<(), Denial> {
    let details = [("target", record.target.as_str()), ("name", record.name.as_str())];
    polkit::ask(peer, Question { action, details: &details, sentence }, interaction)
}

/// The record of an overlay that is this user's.
pub(super) fn own(peer: &Peer, name: &OverlayName, registry: &Registry) -> Result<Record, Denial> {
    let record = registry.find(name).ok_or_else(|| Denial::NoSuchOverlay(name.as_str().to_owned()))?;
    not_of_others(peer, Some(record))?;
    Ok(record.clone())
}

fn not_of_others(peer: &Peer, record: Option<&Record>) -> Result<(), Denial> {
    match record {
        Some(record) if record.owner != peer.uid => Err(Denial::NotYours(record.name.as_str().to_owned())),
        _ => Ok(()),
    }
}

/// What users hold already. A record that cannot be read may be anybody's, so nothing can be counted then.
fn holdings(registry: &Registry, again: Option<&OverlayName>) -> Result<Vec<Holding>, Denial> {
    if let Some((path, reason)) = registry.unreadable.first() {
        return Err(Denial::Failed(format!("limits cannot be counted: {path}: {reason}")));
    }
    let of_users = registry.iter().filter(|record| record.owner != 0);
    Ok(of_users
        .map(|record| {
            let is_again = again == Some(&record.name);
            // The versions that go when the new one comes make its room.
            let versions = if is_again { record.staying() } else { &record.versions };
            Holding {
                owner: record.owner,
                groups: groups_of_owner(record.owner),
                count: u64::from(!is_again),
                bytes: record.bytes(versions),
            }
        })
        .collect())
}

fn rules() -> Result<Rules, Denial> {
    let text = config_files::read(Path::new("/"));
    let (host, _) = Host::load(&text);
    let said = "veneer.toml cannot be read, so nobody knows what is allowed: an administrator has to run veneer check";
    host.settings.overlay.ok_or_else(|| Denial::Failed(said.into()))
}

fn told(spec: &Spec, copied: &Copied) -> Value {
    let verdicts: Vec<Value> = copied
        .verdicts
        .iter()
        .map(|verdict| json!({ "path": verdict.path, "hazard": verdict.hazard.name(), "verdict": verdict.act.name() }))
        .collect();
    json!({ "target": spec.target.as_str(), "files": copied.files, "bytes": copied.bytes, "verdicts": verdicts })
}

fn journal() -> Journal {
    Journal::open("veneer-overlay-request", Caller::Environment)
}

/// What became of a fault of ours, for a user.
pub(super) fn failed(error: anyhow::Error) -> Denial {
    let text = format!("{error:#}").replace('\n', " ");
    // What an administrator could say instead is no advice for a user.
    let text = text.split(". If it is meant").next().unwrap_or_default().to_owned();
    match Fault::of(&error).map(|fault| fault.exit) {
        Some(Exit::Data | Exit::NoInput) => Denial::Refused(text),
        _ => Denial::Failed(text),
    }
}
