//! `veneer overlay`: what is laid over the host, for all or for one command.
//! A verb per file; this one only says which.

use super::context::Context;
use super::overlay_args::{HostVerb, OverlayVerb};
use super::{overlay_ask, overlay_host, overlay_run};
use crate::alone::Privilege;
use crate::host::alone::privilege;
use crate::host::terminal::print;
use anyhow::Result;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(context: &Context, verb: &OverlayVerb) -> Result<ExitCode> {
    match verb {
        OverlayVerb::Run(args) => overlay_run::run(context, args),
        OverlayVerb::Host(verb) => host(context, verb),
    }
}

/// Root does it; everybody else asks, unless it is only to look.
fn host(context: &Context, verb: &HostVerb) -> Result<ExitCode> {
    let asked = match privilege() {
        Privilege::User { .. } if context.root == Path::new("/") => overlay_ask::run(context, verb),
        _ => None,
    };
    match asked {
        Some(asked) => print(&asked?).map(|()| ExitCode::SUCCESS),
        None => overlay_host::run(context, verb),
    }
}
