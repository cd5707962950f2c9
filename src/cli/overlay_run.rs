//! `veneer overlay run`: an overlay that one command sees, and nobody else.
//! What is done is decided in `alone` and done in `host::alone`; on success this process has become the command.
//! Exit codes beside the command's own: 126 and 127 as a shell's, 69 where the kernel gives no user namespace.

use super::context::Context;
use super::fault::fault;
use super::overlay_args::OverlayRun;
use super::overlay_host;
use crate::alone::{Alone, Privilege, Source, Writes};
use crate::host::alone;
use crate::host::overlay::measure::{Look, State};
use crate::host::overlay::registry::Registry;
use crate::host::terminal::{complain, print};
use crate::overlay::record::{Kind, Lifetime, Mode, SourceKind};
use crate::overlay::units::Names;
use crate::overlay::{OverlayName, OverlayPaths, Record};
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn run(context: &Context, args: &OverlayRun) -> Result<ExitCode> {
    if context.root != Path::new("/") {
        return Err(fault(Exit::Usage, "overlay run works on this system: it takes no --root"));
    }
    go(args).or_else(|error| match (alone::code_of(&error), Fault::of(&error)) {
        (Some(code), _) => {
            complain(&format!("veneer: {error:#}\n"));
            Ok(code.into())
        }
        (None, Some(found)) => Err(fault(found.exit, found.sentence.clone())),
        (None, None) => Err(error),
    })
}

fn go(args: &OverlayRun) -> Result<ExitCode> {
    let overlay = asked(args)?;
    alone::check(&overlay)?;
    let steps = overlay.steps().map_err(|said| fault(Exit::Usage, said))?;
    let command = match args.command.is_empty() {
        true => vec![alone::shell()],
        false => args.command.clone(),
    };
    if args.dry.dry_run {
        let words: Vec<String> = command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let steps: String = steps.iter().map(|step| format!("{step}\n")).collect();
        return print(&format!("{steps}become {}\n", words.join(" "))).map(|()| ExitCode::SUCCESS);
    }
    alone::run(&steps, &command).map(|never| match never {})
}

fn asked(args: &OverlayRun) -> Result<Alone> {
    let (source, target) = match (&args.name, &args.source, &args.target) {
        (Some(name), ..) => of_host(name)?,
        (None, Some(source), Some(target)) => (alone::source(source)?, alone::resolved(target, "target")?),
        _ => return Err(fault(Exit::Usage, "NAME is wanted, or --source and --target")),
    };
    let writes = match (&args.keep, &source) {
        (Some(_), Source::File(_)) => {
            return Err(fault(Exit::Usage, "--keep is for directories: a file is laid over read-only"));
        }
        (Some(directory), _) => Writes::Kept(kept(directory, &source, &target)?),
        (None, _) if args.read_only => Writes::Refused,
        (None, _) => Writes::Memory(args.size),
    };
    Ok(Alone { source, target, writes, privilege: alone::privilege() })
}

/// What an overlay over the host has: where it lies over its target, all see that; where it does not, root finds its layers.
fn of_host(name: &OverlayName) -> Result<(Source, PathBuf)> {
    let record = overlay_host::in_registry(&Registry::read()?, name)?;
    let target = PathBuf::from(record.target.as_str());
    let state = Look::now()?.state(&record);
    if state == State::Active {
        let source = match record.kind {
            Kind::Directory => Source::Layers(Vec::new()),
            Kind::File => Source::File(target.clone()),
        };
        return Ok((source, target));
    }
    let layers = layers_of(&record);
    match (alone::privilege(), record.kind, layers) {
        (Privilege::Root, Kind::Directory, Some(layers)) => Ok((Source::Layers(layers), target)),
        _ => {
            let unit = Names::new(&record.name, &record.target).mount;
            let said = format!("{name} is {}: root can bring it back with systemctl start {unit}", state.name());
            Err(Fault::unavailable(said).into())
        }
    }
}

/// The layers of an overlay that is not mounted, as far as they are directories; none if one is an image.
fn layers_of(record: &Record) -> Option<Vec<PathBuf>> {
    let paths = OverlayPaths::new(&record.name, record.lifetime);
    let version = record.version()?;
    let source = format!("{}/tree", paths.source(version.source.number));
    match (&version.source.kind, record.mode, record.lifetime) {
        (SourceKind::Image(_), ..) | (_, Mode::Writable, Lifetime::Persistent) => None,
        (SourceKind::Tree, Mode::ReadOnly, _) => Some(vec![source.into()]),
        (SourceKind::Tree, Mode::Writable, Lifetime::Transient) => {
            Some(vec![format!("{}/upper", paths.writable(version.number)).into(), source.into()])
        }
    }
}

/// The directory for what is kept; overlayfs cannot have it below one of its layers.
fn kept(directory: &Path, source: &Source, target: &Path) -> Result<PathBuf> {
    let directory = alone::resolved(directory, "directory of --keep")?;
    let layers = match source {
        Source::Directory(source) | Source::File(source) => std::slice::from_ref(source),
        Source::Layers(layers) => layers,
    };
    match layers.iter().map(PathBuf::as_path).chain([target]).find(|layer| directory.starts_with(layer)) {
        Some(layer) => Err(fault(
            Exit::Usage,
            format!(
                "--keep={} is in {}, which is laid over: name a directory elsewhere",
                directory.display(),
                layer.display()
            ),
        )),
        None => Ok(directory),
    }
}
