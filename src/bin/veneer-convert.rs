//! Turns a container image, a layer or a directory into a verified image; run by its unit, or by an admin.
//! It decides nothing here: the words are checked in `convert::spec`, the work is done in `host::convert`.
//! The command line is that of docs/convert.md.

use clap::Parser;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use veneer::convert::{Arguments, Doing, Spec, steps};
use veneer::host::{convert, terminal};
use veneer::merge::Count;
use veneer::sysexits::Exit;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            drop(error.print());
            return exit.into();
        }
    };
    match run(&Spec::from(arguments)) {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            terminal::complain_as(3, "veneer-convert", &error.to_string());
            exit(&error).into()
        }
    }
}

fn run(spec: &Spec) -> io::Result<()> {
    let opened = convert::open(spec)?;
    match &spec.doing {
        Doing::Showing(_) => {
            let layers: Vec<String> = opened.layers.iter().map(|layer| layer.name()).collect();
            let lines: String = steps(spec, &layers).iter().map(|step| format!("{step}\n")).collect();
            terminal::print(&lines).map_err(io::Error::other)
        }
        Doing::Checking => {
            let (_, summary) = convert::run(spec, &opened, Count::default())?;
            let text = format!("{}: {} files, {} bytes\n", spec.source, summary.files, summary.bytes);
            terminal::print(&text).map_err(io::Error::other)
        }
        Doing::Writing(_) => Err(io::Error::new(ErrorKind::Unsupported, "there is no writer of images yet")),
    }
}

fn exit(error: &io::Error) -> Exit {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Exit::Data,
        ErrorKind::NotFound => Exit::NoInput,
        ErrorKind::Unsupported => Exit::Unavailable,
        _ => Exit::Failure,
    }
}
