//! What the units of overlays run: layers up, layers down, and the recovery at boot.
//! A fault is said here, once; how the program ends comes back.
//! The units are `veneer-overlay-host@.service` and `veneer-overlay-recover.service`.

use super::registry::Registry;
use super::{declare, layers, recover as recovery};
use crate::host::boot::Boot;
use crate::host::journal::{Entry, Journal, Weight};
use crate::message;
use crate::overlay::{OverlayName, Record, Spec};
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Result;
use std::path::Path;

/// Brings the layers of an overlay up.
pub fn up(name: &OverlayName, journal: &Journal) -> Exit {
    let done = record(name).and_then(|record| layers::up(&record));
    outcome(name, "bringing up the layers of", done, journal)
}

/// Makes a declared overlay what its file says, and brings its layers up.
pub fn declare(spec: &Spec, journal: &Journal) -> Exit {
    outcome(&spec.name, "bringing up the layers of", declare::declare(spec, journal), journal)
}

/// Takes the layers of an overlay off; one that has no record (any more) has none.
pub fn down(name: &OverlayName, journal: &Journal) -> Exit {
    let done = Registry::read().and_then(|registry| registry.find(name).map_or(Ok(()), layers::down));
    outcome(name, "taking off the layers of", done, journal)
}

/// Finishes or undoes what was broken off, and brings persistent overlays back; nothing if the kernel's command line says
/// that nothing of ours is wanted.
pub fn recover(journal: &Journal) -> Exit {
    if Boot::read(Path::new("/")).is_switched_off() {
        return Exit::Success;
    }
    match recovery::at_boot(journal) {
        Ok(()) => Exit::Success,
        Err(error) => {
            let entry = Entry::about_image(Weight::Error, message::HOST_OVERLAY_FAILED, None);
            entry.say(journal, &format!("recovering overlays: {error:#}"));
            Exit::Failure
        }
    }
}

fn record(name: &OverlayName) -> Result<Record> {
    let registry = Registry::read()?;
    let found = registry.find(name).cloned();
    Ok(found.ok_or_else(|| Fault::no_input(format!("there is no overlay {name}")))?)
}

fn outcome(name: &OverlayName, act: &str, done: Result<()>, journal: &Journal) -> Exit {
    match done {
        Ok(()) => Exit::Success,
        Err(error) => {
            let entry = Entry::about_overlay(Weight::Error, message::HOST_OVERLAY_FAILED, name.as_str());
            entry.say(journal, &format!("{act} {name}: {error:#}"));
            Fault::of(&error).map_or(Exit::Failure, |fault| fault.exit)
        }
    }
}
