//! `veneer overlay export` and `import`: one overlay to another host, or to another user of this one.
//! The file is `host::overlay::export`'s and `import`'s; what is applied in the end is applied as everything else is.
//! Who may have what is held to the policy of veneer.toml, unless the root hash says that the very content is meant.

use super::fault::fault;
use super::overlay_args::{BaseChanged, Making, OverlayExport, OverlayImport};
use super::overlay_host::{in_registry, journal, path, perform, steps};
use crate::config::Host;
use crate::host::below_root::absolute;
use crate::host::config_files;
use crate::host::new_file;
use crate::host::overlay::apply::{self, Request};
use crate::host::overlay::copy::Limits;
use crate::host::overlay::import::Unpacked;
use crate::host::overlay::registry::{self, Registry};
use crate::host::overlay::{base, export, owner, recover, target};
use crate::host::terminal::complain;
use crate::overlay::Spec;
use crate::overlay::record::{Act, Lifetime, Mode, OnChange};
use crate::request::Hazard;
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Result;
use std::path::Path;

pub(super) fn exported(args: &OverlayExport) -> Result<String> {
    let file = absolute(&args.file);
    new_file::check(&file)?;
    if args.dry.dry_run {
        let record = in_registry(&Registry::read()?, &args.name)?;
        return Ok(format!("write what {} changes, and how it was made, to {}\n", record.name, file.display()));
    }
    let staging = export::staging()?;
    let _lock = registry::lock()?;
    let record = in_registry(&recover::before_act(&journal())?, &args.name)?;
    let root = export::export(&record, &staging, &file)?;
    Ok(format!("{}: what {} changes, root hash {root}\n", file.display(), record.name))
}

pub(super) fn imported(args: &OverlayImport) -> Result<String> {
    let file = absolute(&args.file);
    let unpacked = Unpacked::read(&file)?;
    judge(args, &unpacked, &file)?;
    let spec = spec(args, &unpacked, &file)?;
    let found = target::find(&spec.target)?;
    if found.kind != unpacked.about.kind {
        let said = "a file goes over a file, and a directory over a directory";
        return Err(Fault::data(format!("{}: {said}", found.path)).into());
    }
    let (made, here) = (&unpacked.about.system, base::system());
    if *made != here {
        complain(&format!("{}: it was made over {made}, and this is {here}\n", spec.name));
    }
    if args.dry.dry_run {
        let planned = apply::plan(&[&spec], &Registry::read()?)?;
        return Ok(planned.iter().map(|plan| steps(&spec, plan)).collect());
    }
    let source = unpacked.source()?;
    perform(vec![Request { spec, source, limits: Limits::NONE, by: Act::Import, inspect: &|_| Ok(()) }])
}

/// Refuses another content than the one that is meant; without a word on that, what the policy refuses.
fn judge(args: &OverlayImport, unpacked: &Unpacked, file: &Path) -> Result<()> {
    let refuse = |said: String| Err(Fault::data(format!("{}: {said}", file.display())).into());
    match &args.root_hash {
        Some(wanted) if *wanted == unpacked.root => Ok(()),
        Some(wanted) => refuse(format!("its root hash is {}, not {wanted}", unpacked.root)),
        None => match unpacked.refused(&policy()?)?.as_slice() {
            [] => Ok(()),
            found => refuse(format!(
                "overlay.refuse of veneer.toml keeps this out: {}. If it is meant, say --root-hash={}",
                found.join(", "),
                unpacked.root
            )),
        },
    }
}

fn policy() -> Result<Vec<Hazard>> {
    let text = config_files::read(Path::new("/"));
    let (host, _) = Host::load(&text);
    let said = "veneer.toml cannot be read, so nobody knows what is to be kept out: run veneer check";
    Ok(host.settings.overlay.ok_or_else(|| fault(Exit::Config, said))?.refuse)
}

/// What the file says, unless the command line says otherwise.
fn spec(args: &OverlayImport, unpacked: &Unpacked, file: &Path) -> Result<Spec> {
    let said = unpacked.about.spec(path(file)?).map_err(|said| Fault::data(format!("{}: {said}", file.display())))?;
    let Making { read_only, writable, persistent, size, owner, description, force_target, base_changed, option } =
        &args.making;
    let spec = Spec {
        name: args.name.clone().unwrap_or(said.name),
        source: said.source,
        target: args.target.as_deref().map_or(Ok(said.target), path)?,
        mode: match (read_only, writable) {
            (true, _) => Mode::ReadOnly,
            (_, true) => Mode::Writable,
            _ => said.mode,
        },
        lifetime: if *persistent { Lifetime::Persistent } else { Lifetime::Transient },
        size: size.unwrap_or(said.size),
        owner: owner.as_deref().map_or(Ok(said.owner), owner::number)?,
        description: description.clone().or(said.description),
        force_target: force_target.as_deref().map(path).transpose()?,
        base_changed: match base_changed {
            Some(BaseChanged::Hold) => OnChange::Hold,
            Some(BaseChanged::Warn) => OnChange::Warn,
            None => said.base_changed,
        },
        options: if option.is_empty() { said.options } else { option.clone() },
        declared: None,
    };
    spec.check().map_err(|said| fault(Exit::Usage, said))?;
    Ok(spec)
}
