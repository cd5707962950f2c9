//! The verbs of `veneer overlay` as an ordinary user types them: asked of the service, and told as root's are.
//! It decides nothing; what may be asked and why not is the service's to say.
//! The words are those of veneer-overlay(8) and veneer-overlay-request.socket(8).

use super::context::Context;
use super::fault::fault;
use super::overlay_args::{Apply, HostVerb, OverlayAct, OverlayDiff, OverlayRemove, OverlayRollback};
use super::overlay_diff;
use crate::host::below_root::absolute;
use crate::host::overlay::target as place;
use crate::host::request::client::{self, Outcome};
use crate::overlay::OverlayName;
use crate::overlay::change::Change;
use crate::overlay::record::Kind;
use crate::path::AbsPath;
use crate::sysexits::Exit;
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Does a verb by asking, if it is one that is asked; none if anybody may do it alone.
pub(super) fn run(context: &Context, verb: &HostVerb) -> Option<Result<String>> {
    Some(match verb {
        HostVerb::Apply(args) => apply(args),
        HostVerb::Diff(args) => diff(context, args),
        HostVerb::Reset(args) => reset(args),
        HostVerb::Rollback(args) => rollback(args),
        HostVerb::Remove(args) => remove(args),
        HostVerb::List(_) | HostVerb::History(_) => return None,
        _ => Err(fault(
            Exit::NoPermission,
            "this is for root: users can apply, list, diff, history, reset, rollback and remove",
        )),
    })
}

fn apply(args: &Apply) -> Result<String> {
    let (Some(name), Some(source), Some(target)) = (&args.name, &args.source, &args.target) else {
        return Err(fault(Exit::Usage, "NAME, SOURCE and TARGET are wanted; a batch is for root"));
    };
    let making = &args.making;
    let for_root = [
        (making.owner.is_some(), "--owner"),
        (making.force_target.is_some(), "--force-target"),
        (making.base_changed.is_some(), "--base-changed"),
        (!making.option.is_empty(), "--option"),
    ];
    if let Some((_, option)) = for_root.iter().find(|(is, _)| *is) {
        return Err(fault(Exit::NoPermission, format!("{option} is for root")));
    }
    let mut parameters = json!({
        "name": name.as_str(),
        "source": 0,
        "target": text(&absolute(target))?,
        "access": if making.writable { "writable" } else { "readOnly" },
        "lifetime": if making.persistent { "persistent" } else { "transient" },
        "dryRun": args.dry.dry_run,
        "allowInteractiveAuthentication": true,
    });
    if let (Some(size), true) = (making.size, making.writable) {
        parameters["size"] = size.into();
    }
    if let Some(description) = &making.description {
        parameters["description"] = description.as_str().into();
    }
    let opened = client::source(source)?;
    let answer = granted(client::ask("Apply", &parameters, Some(&opened))?)?;
    let verdicts: String = list(&answer, "verdicts").iter().map(verdict).collect();
    let lies = if args.dry.dry_run { "would lie" } else { "lies" };
    Ok(format!("{verdicts}{name}: a copy of {} {lies} over {}\n", source.display(), shown(&answer, "target")))
}

fn verdict(verdict: &Value) -> String {
    let part = |key: &str| verdict.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    format!("{}: {} {}\n", part("path"), part("hazard"), part("verdict"))
}

fn diff(context: &Context, args: &OverlayDiff) -> Result<String> {
    let parameters = json!({ "name": args.name.as_str(), "written": args.written });
    let answer = granted(client::ask("Diff", &parameters, None)?)?;
    let found: Vec<Change> = serde_json::from_value(list(&answer, "changes").into()).context("reading the answer")?;
    let target = AbsPath::parse(&shown(&answer, "target")).map_err(anyhow::Error::msg).context("reading the answer")?;
    // What lies over a file is a file. Where it cannot be looked at, paths are shown as in a directory.
    let kind = place::find(&target).map_or(Kind::Directory, |found| found.kind);
    overlay_diff::print(context, (&target, kind), &found, args)
}

fn reset(args: &OverlayAct) -> Result<String> {
    if args.dry.dry_run {
        return Ok(format!("ask for {} to be reset\n", args.name));
    }
    granted(client::ask("Reset", &act(&args.name), None)?)?;
    Ok(format!("{}: what was written is dropped\n", args.name))
}

fn rollback(args: &OverlayRollback) -> Result<String> {
    if args.dry.dry_run {
        return Ok(format!("ask for {} to be rolled back\n", args.name));
    }
    let mut parameters = act(&args.name);
    if let Some(version) = args.version {
        parameters["version"] = version.into();
    }
    let answer = granted(client::ask("Rollback", &parameters, None)?)?;
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    Ok(format!("{}: version {} is what version {} was\n", args.name, number("version"), number("from")))
}

fn remove(args: &OverlayRemove) -> Result<String> {
    if args.dry.dry_run {
        return Ok(format!("ask for {} to be removed\n", args.name));
    }
    let mut parameters = act(&args.name);
    parameters["lazy"] = args.lazy.into();
    granted(client::ask("Remove", &parameters, None)?)?;
    Ok(format!("{}: removed\n", args.name))
}

fn act(name: &OverlayName) -> Value {
    json!({ "name": name.as_str(), "allowInteractiveAuthentication": true })
}

fn granted(outcome: Outcome) -> Result<Map<String, Value>> {
    match outcome {
        Outcome::Granted(parameters) => Ok(parameters),
        Outcome::Denied(denial) => Err(fault(denial.exit(), denial.sentence())),
    }
}

fn list<'a>(answer: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    answer.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn shown(answer: &Map<String, Value>, key: &str) -> String {
    answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| fault(Exit::Usage, format!("{} is not text", path.display())))
}
