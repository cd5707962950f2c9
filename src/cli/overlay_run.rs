//! `veneer overlay run`: an overlay that one command sees, and nobody else.
//! What is done is decided in `alone` and done in `host::alone`; on success this process has become the command.
//! Exit codes beside the command's own: 126 and 127 as a shell's, 69 where the kernel gives no user namespace.

use super::context::Context;
use super::fault::fault;
use super::overlay_args::OverlayRun;
use crate::alone::{Alone, Source, Writes};
use crate::host::alone;
use crate::host::terminal::{complain, print};
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Result;
use std::path::Path;
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
    let source = alone::source(&args.source)?;
    let target = alone::resolved(&args.target, "target")?;
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

/// The directory for what is kept; overlayfs cannot have it below one of its layers.
fn kept(directory: &Path, source: &Source, target: &Path) -> Result<std::path::PathBuf> {
    let directory = alone::resolved(directory, "directory of --keep")?;
    let (Source::Directory(source) | Source::File(source)) = source;
    match [source.as_path(), target].into_iter().find(|layer| directory.starts_with(layer)) {
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
