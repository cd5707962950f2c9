//! Turns a container image, a layer or a directory into a verified image; run by its unit, or by an admin.
//! It decides nothing here: the words are checked in `convert::spec`, the work is done in `host::conversion`.
//! The command line is that of docs/convert.md.

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;
use veneer::convert::fault::verdict;
use veneer::convert::steps::{self, steps};
use veneer::convert::{Arguments, Doing, Output, Spec, Step};
use veneer::host::conversion::{Conversion, Outcome};
use veneer::host::interruption::Interruption;
use veneer::host::journal::{Caller, Entry, Journal, Weight};
use veneer::host::source::Opened;
use veneer::host::{beside, convert, injected, terminal};
use veneer::image::manifest::Manifest;
use veneer::merge::Count;
use veneer::message;
use veneer::root_hash::RootHash;
use veneer::sysexits::Exit;

fn main() -> ExitCode {
    let spec = match Arguments::try_parse().and_then(Spec::try_from) {
        Ok(spec) => spec,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            drop(error.print());
            return exit.into();
        }
    };
    let journal = Journal::open("veneer-convert", Caller::Environment);
    let spec = match injected::with_manifest(spec) {
        Ok(spec) => spec,
        Err(problems) => {
            let entry = Entry::about_image(Weight::Error, message::NOT_CONVERTED, None);
            problems.iter().for_each(|problem| entry.say(&journal, &problem.to_string()));
            return Exit::Config.into();
        }
    };
    // Signals are blocked before there is a second thread.
    match Interruption::watch("veneer-convert").and_then(|interruption| run(&spec, &interruption, &journal)) {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            let (text, exit) = verdict(&spec, &error);
            Entry::about_image(Weight::Error, message::NOT_CONVERTED, None).say(&journal, &text);
            exit.into()
        }
    }
}

fn run(spec: &Spec, interruption: &Interruption, journal: &Journal) -> Result<()> {
    beside::check(&spec.beside)?;
    let opened = convert::open(spec)?;
    match &spec.doing {
        Doing::Showing(output) => show(spec, &opened, output.as_ref()),
        Doing::Checking => {
            let (injections, _) = injected::open(&spec.inject)?;
            let (_, summary) = convert::run(spec, &opened, &injections, Count::default())?;
            terminal::print(&format!("{}: {} files, {} bytes\n", spec.source, summary.files, summary.bytes))
        }
        Doing::Writing(output) => write(spec, &opened, output, interruption, journal),
    }
}

fn show(spec: &Spec, opened: &Opened, output: Option<&Output>) -> Result<()> {
    let kept = match output {
        Some(output) => Conversion::new(spec, opened)?.kept(output)?,
        None => None,
    };
    let layers: Vec<String> = opened.layers.iter().map(|layer| layer.name()).collect();
    let steps = match (kept, output) {
        (Some(_), Some(output)) => {
            std::iter::once(Step::Keep(output.to_string())).chain(steps::besides(&spec.beside)).collect()
        }
        _ => steps(spec, &layers),
    };
    terminal::print(&steps.iter().map(|step| format!("{step}\n")).collect::<String>())
}

fn write(spec: &Spec, opened: &Opened, output: &Output, interruption: &Interruption, journal: &Journal) -> Result<()> {
    let image = format!("{output}.raw");
    let say = |text: String, manifest: Option<&Manifest>| {
        let entry = Entry::about_image(Weight::Info, message::CONVERTED, Some(&image));
        entry.root_hash(manifest.map(|manifest| manifest.root_hash.as_str())).say(journal, &text);
    };
    let waiting = || say(format!("{image}: waiting for another that makes it"), None);
    let outcome = Conversion::new(spec, opened)?.run(output, interruption, waiting)?;
    match &outcome {
        Outcome::Kept(manifest) => {
            say(
                format!("{image} is there already, made from the same; root hash {}", manifest.root_hash),
                Some(manifest),
            );
        }
        Outcome::Made(manifest, summary) => {
            let text = format!(
                "{image}: {} files, {} bytes; root hash {}",
                summary.files, manifest.sizes.image, manifest.root_hash
            );
            say(text, Some(manifest));
        }
    }
    let (Outcome::Kept(manifest) | Outcome::Made(manifest, _)) = &outcome;
    let root = RootHash::parse(&manifest.root_hash).map_err(anyhow::Error::msg)?;
    for done in beside::make(&spec.beside, output, &root, &outcome)? {
        say(done, Some(manifest));
    }
    Ok(())
}
