//! The verbs of `veneer overlay` as an ordinary user types them: asked of the service, and told as root's are.
//! It decides nothing; what may be asked and why not is the service's to say.
//! The words are those of veneer-overlay(8) and veneer-overlay-request.socket(8).

use super::fault::fault;
use super::json;
use super::overlay_args::{Apply, HostVerb, OverlayAct, OverlayDiff, OverlayRemove};
use crate::host::below_root::absolute;
use crate::host::request::client::{self, Outcome};
use crate::overlay::OverlayName;
use crate::sysexits::Exit;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Does a verb by asking, if it is one that is asked; none if anybody may do it alone.
pub(super) fn run(verb: &HostVerb) -> Option<Result<String>> {
    Some(match verb {
        HostVerb::Apply(args) => apply(args),
        HostVerb::Diff(args) => diff(args),
        HostVerb::Reset(args) => reset(args),
        HostVerb::Remove(args) => remove(args),
        HostVerb::List(_) | HostVerb::History(_) => return None,
        _ => Err(fault(Exit::NoPermission, "this is for root: users can apply, list, diff, reset and remove")),
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

fn diff(args: &OverlayDiff) -> Result<String> {
    let answer = granted(client::ask("Diff", &json!({ "name": args.name.as_str() }), None)?)?;
    let changes = list(&answer, "changes");
    if let Some(format) = args.output.json() {
        return json::print(&changes, format);
    }
    let part = |change: &Value, key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let line = |change: &Value| format!("{:8}{}\n", part(change, "change"), part(change, "path").escape_debug());
    Ok(changes.iter().map(line).collect())
}

fn reset(args: &OverlayAct) -> Result<String> {
    if args.dry.dry_run {
        return Ok(format!("ask for {} to be reset\n", args.name));
    }
    granted(client::ask("Reset", &act(&args.name), None)?)?;
    Ok(format!("{}: what was written is dropped\n", args.name))
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
