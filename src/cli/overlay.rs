//! `veneer overlay`: what is laid over the host, for all or for one command.
//! A verb per file; this one only says which.

use super::context::Context;
use super::overlay_args::OverlayVerb;
use super::{overlay_host, overlay_run};
use anyhow::Result;
use std::process::ExitCode;

pub(super) fn run(context: &Context, verb: &OverlayVerb) -> Result<ExitCode> {
    match verb {
        OverlayVerb::Run(args) => overlay_run::run(context, args),
        OverlayVerb::Host(verb) => overlay_host::run(context, verb),
    }
}
