//! `veneer overlay apply` and the rest: overlays over the running host, which all see.
//! What is done is `host::overlay`'s, what may be asked `crate::overlay`'s; here words become values, and what came of it words.
//! It works on the running system: an overlay is nothing but mounts, so there is none below a `--root`.

use super::context::Context;
use super::fault::fault;
use super::overlay_args::{
    Apply, BaseChanged, CommitAs, HostVerb, Making, OverlayAct, OverlayCommit, OverlayRemove, OverlayRollback,
};
use super::{overlay_diff, overlay_list, overlay_share};
use crate::config::{Body, load_batch};
use crate::convert::Output;
use crate::host::below_root::absolute;
use crate::host::config_files;
use crate::host::journal::{Caller, Entry, Journal, Weight};
use crate::host::overlay::apply::{Applied, Planned, Request};
use crate::host::overlay::busy::Holder;
use crate::host::overlay::commit::{self, Use};
use crate::host::overlay::mounting::Switched;
use crate::host::overlay::registry::{self, Registry};
use crate::host::overlay::{act, apply, busy, owner, recover, remove, version};
use crate::host::terminal::{ask, complain, print};
use crate::message::{self, MessageId};
use crate::overlay::record::{Act, Lifetime, Mode, OnChange};
use crate::overlay::{OverlayName, OverlayPaths, Record, Spec};
use crate::path::AbsPath;
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn run(context: &Context, verb: &HostVerb) -> Result<ExitCode> {
    if context.root != Path::new("/") {
        return Err(fault(Exit::Usage, "overlay works on this system: it takes no --root"));
    }
    let done = match verb {
        HostVerb::Apply(args) => applied(args),
        HostVerb::List(args) => overlay_list::list(context, args),
        HostVerb::Diff(args) => overlay_diff::run(context, &find(&args.name)?, args),
        HostVerb::Commit(args) => committed(args),
        HostVerb::Reset(args) => reset(args),
        HostVerb::Remove(args) => removed(args),
        HostVerb::History(args) => overlay_list::history(context, &find(&args.name)?, args),
        HostVerb::Rollback(args) => rollback(args),
        HostVerb::Accept(args) => accept(args),
        HostVerb::Export(args) => overlay_share::exported(args),
        HostVerb::Import(args) => overlay_share::imported(args),
    };
    let text = done.map_err(|error| match Fault::of(&error) {
        Some(found) => fault(found.exit, format!("{error:#}")),
        None => error,
    })?;
    print(&text).map(|()| ExitCode::SUCCESS)
}

pub(super) fn journal() -> Journal {
    Journal::open("veneer", Caller::Environment)
}

fn say(id: MessageId, record: &Record, text: &str) {
    Entry::about_overlay(Weight::Info, id, record.name.as_str()).say(&Journal::only_journal("veneer"), text);
}

/// The record of an overlay; an error that names the nearest if there is none.
fn find(name: &OverlayName) -> Result<Record> {
    in_registry(&Registry::read()?, name)
}

pub(super) fn in_registry(registry: &Registry, name: &OverlayName) -> Result<Record> {
    registry.find(name).cloned().ok_or_else(|| {
        let near = crate::problem::nearest(name.as_str(), registry.iter().map(|record| record.name.as_str()));
        let hint = near.map(|near| format!(": did you mean {near:?}?")).unwrap_or_default();
        Fault::no_input(format!("there is no overlay {:?}{hint}", name.as_str())).into()
    })
}

fn applied(args: &Apply) -> Result<String> {
    let specs = match (&args.batch, &args.name, &args.source, &args.target) {
        (None, Some(name), Some(source), Some(target)) => vec![spec(name, source, target, &args.making)?],
        (Some(file), ..) => batch(file)?,
        _ => return Err(fault(Exit::Usage, "NAME, SOURCE and TARGET are wanted")),
    };
    if args.dry.dry_run {
        let registry = Registry::read()?;
        let planned = apply::plan(&specs.iter().collect::<Vec<_>>(), &registry)?;
        for spec in &specs {
            version::open(spec.source.as_str())?;
        }
        return Ok(specs.iter().zip(&planned).map(|(spec, plan)| steps(spec, plan)).collect());
    }
    perform(specs.into_iter().map(|spec| Request::of_admin(spec, Act::Apply)).collect::<Result<Vec<_>>>()?)
}

/// The overlays of a batch.
fn batch(file: &Path) -> Result<Vec<Spec>> {
    let read = config_files::read_file(file);
    if let Body::Unreadable(reason) = &read.body {
        return Err(fault(Exit::NoInput, format!("reading {}: {reason}", file.display())));
    }
    load_batch(&read).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        fault(Exit::Config, lines.join("\n"))
    })
}

/// Applies overlays as an admin, and tells what came of it.
pub(super) fn perform(requests: Vec<Request<'_>>) -> Result<String> {
    let done = apply::apply(&requests, &journal())?;
    Ok(done.iter().zip(&requests).map(|(applied, request)| told(applied, &request.spec.target)).collect())
}

fn told(applied: &Applied, typed: &AbsPath) -> String {
    let record = &applied.record;
    let link = if *typed == record.target { String::new() } else { format!(" ({typed} leads there)") };
    let mode = format!("{}, {}", record.mode.name(), record.lifetime.name());
    let from = record.version().map(|version| version.source.from.as_str()).unwrap_or_default();
    let mut text = match applied.switched {
        None => format!("{}: {from} lies over {}{link}, {mode}\n", record.name, record.target),
        Some(switched) => {
            format!("{}: version {} lies over {}{link}{}\n", record.name, record.current, record.target, gap(switched))
        }
    };
    say(message::HOST_OVERLAY_UP, record, text.trim_end());
    if applied.lost_attributes > 0 {
        text += &format!(
            "{}: {} extended attributes are left out: this kernel's tmpfs does not take them\n",
            record.name, applied.lost_attributes
        );
    }
    text
}

fn gap(switched: Switched) -> &'static str {
    match switched {
        Switched::InOneStep => "",
        Switched::WithGap => " (this kernel is older than 6.5: what lies beneath showed for a moment)",
    }
}

/// What an apply would do, a line each.
pub(super) fn steps(spec: &Spec, plan: &Planned) -> String {
    let paths = OverlayPaths::new(&spec.name, spec.lifetime);
    let number = plan.existing.as_ref().map_or(1, Record::next_number);
    let source = plan.existing.as_ref().map_or(1, Record::next_source);
    let mut lines = vec![format!("copy {} to {}", spec.source, paths.source(source))];
    match (spec.mode, spec.lifetime) {
        (Mode::ReadOnly, _) => {}
        (Mode::Writable, Lifetime::Transient) => {
            lines.push(format!("mount a tmpfs of {} bytes on {}", spec.size, paths.writable(number)));
        }
        (Mode::Writable, Lifetime::Persistent) => {
            lines.push(format!("make the file system {} of {} bytes", paths.writable_image(number), spec.size));
        }
    }
    lines.push(format!("write the record {}", paths.record()));
    let unit = crate::overlay::units::Names::new(&spec.name, &plan.target).mount;
    lines.push(match &plan.existing {
        None => format!("start {unit}: {} lies over {}", spec.name, plan.target),
        Some(record) => format!("put version {number} in the place of version {} on {}", record.current, plan.target),
    });
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A spec from the words of a command line.
fn spec(name: &OverlayName, source: &Path, target: &Path, making: &Making) -> Result<Spec> {
    let mut spec = Spec::new(name.clone(), path(source)?, path(target)?);
    spec.mode = if making.writable { Mode::Writable } else { Mode::ReadOnly };
    spec.lifetime = if making.persistent { Lifetime::Persistent } else { Lifetime::Transient };
    spec.size = making.size.unwrap_or(spec.size);
    spec.owner = making.owner.as_deref().map_or(Ok(0), owner::number)?;
    spec.description = making.description.clone();
    spec.force_target = making.force_target.as_deref().map(path).transpose()?;
    spec.base_changed = match making.base_changed {
        Some(BaseChanged::Hold) => OnChange::Hold,
        Some(BaseChanged::Warn) | None => OnChange::Warn,
    };
    spec.options = making.option.clone();
    spec.check().map_err(|said| fault(Exit::Usage, said))?;
    Ok(spec)
}

pub(super) fn path(path: &Path) -> Result<AbsPath> {
    let path: PathBuf = absolute(path);
    let text = path.to_str().ok_or_else(|| fault(Exit::Usage, format!("{} is not text", path.display())))?;
    AbsPath::parse(text).map_err(|said| fault(Exit::Usage, said))
}

fn reset(args: &OverlayAct) -> Result<String> {
    let _lock = registry::lock()?;
    if args.dry.dry_run {
        let record = find(&args.name)?;
        let next = record.next_number();
        return Ok(format!(
            "make version {next} of {}, with nothing written\nput it in the place of version {} on {}\n",
            record.name, record.current, record.target
        ));
    }
    let record = in_registry(&recover::before_act(&journal())?, &args.name)?;
    let (new, switched) = act::reset(&record)?;
    let text = format!("{}: version {} has nothing written{}\n", new.name, new.current, gap(switched));
    say(message::HOST_OVERLAY_UP, &new, text.trim_end());
    Ok(text)
}

fn rollback(args: &OverlayRollback) -> Result<String> {
    let _lock = registry::lock()?;
    if args.dry.dry_run {
        let record = find(&args.name)?;
        let from = act::wanted(&record, args.version)?.number;
        return Ok(format!(
            "make version {} of {} from version {from}\nput it in the place of version {} on {}\n",
            record.next_number(),
            record.name,
            record.current,
            record.target
        ));
    }
    let record = in_registry(&recover::before_act(&journal())?, &args.name)?;
    let from = act::wanted(&record, args.version)?.number;
    let (new, switched) = act::rollback(&record, args.version)?;
    let text = format!("{}: version {} is what version {from} was{}\n", new.name, new.current, gap(switched));
    say(message::HOST_OVERLAY_UP, &new, text.trim_end());
    Ok(text)
}

fn accept(args: &OverlayAct) -> Result<String> {
    let lock = registry::lock()?;
    if args.dry.dry_run {
        let record = find(&args.name)?;
        return Ok(format!("record what lies beneath {} as the base of {}\n", record.target, record.name));
    }
    let record = in_registry(&recover::before_act(&journal())?, &args.name)?;
    let new = act::accept(&record, lock)?;
    Ok(format!("{}: what lies beneath {} is its base now\n", new.name, new.target))
}

fn committed(args: &OverlayCommit) -> Result<String> {
    let text = args.output.to_str().ok_or_else(|| fault(Exit::Usage, "the output is not text"))?;
    let output = Output::parse(text).map_err(|said| fault(Exit::Usage, said))?;
    let made_for = match args.kind {
        CommitAs::Image => Use::Image,
        CommitAs::Sysext => Use::Sysext,
    };
    let _lock = registry::lock()?;
    if args.dry.dry_run {
        let record = find(&args.name)?;
        let (name, number) = (&record.name, record.next_number());
        let image = format!("write what {name} changes to {output}.raw, and what stands beside it");
        return Ok(format!("{image}\nkeep what {name} is now as version {number}\n"));
    }
    let record = in_registry(&recover::before_act(&journal())?, &args.name)?;
    let root = commit::commit(&record, &output, made_for)?;
    let path = format!("{output}.raw");
    let kept = match act::keep(&record, &path).with_context(|| format!("{path} is made, keeping a version of it"))? {
        Some(number) => format!("; kept as version {number}"),
        // An image can be made of one that is held back, as a diff can.
        None => "; no version is kept of it, since the overlay is not mounted".to_owned(),
    };
    let text = format!("{path}: what {} changes, root hash {root}{kept}\n", record.name);
    say(message::HOST_OVERLAY_COMMITTED, &record, text.trim_end());
    Ok(text)
}

fn removed(args: &OverlayRemove) -> Result<String> {
    let _lock = registry::lock()?;
    let record = match args.dry.dry_run {
        true => find(&args.name)?,
        false => in_registry(&recover::before_act(&journal())?, &args.name)?,
    };
    let holders = busy::holders(&record)?;
    if args.dry.dry_run {
        let paths = OverlayPaths::new(&record.name, record.lifetime);
        let unit = crate::overlay::units::Names::new(&record.name, &record.target).mount;
        return Ok(format!("{}stop {unit}\ndelete {}\n", held_by(&record, &holders), paths.data));
    }
    if !holders.is_empty() && !args.lazy {
        complain(&held_by(&record, &holders));
        if !ask(&format!("Take {} off all the same? They keep what they hold. [y/N] ", record.name)) {
            let text = format!("{} is held: end what holds it, or say --lazy", record.name);
            return Err(fault(Exit::Failure, text));
        }
    }
    remove::remove(&record)?;
    let text = format!("{}: {} is as it was before\n", record.name, record.target);
    say(message::HOST_OVERLAY_GONE, &record, text.trim_end());
    Ok(text)
}

/// Who holds an overlay, a line each.
fn held_by(record: &Record, holders: &[Holder]) -> String {
    if holders.is_empty() {
        return String::new();
    }
    let lines = holders.iter().map(|holder| format!("  {} ({}): {}\n", holder.name, holder.pid, holder.how));
    format!("{} is held by\n{}", record.name, lines.collect::<String>())
}
