//! `veneer overlay`: what is laid over the host, for all or for one command.
//! A verb per file; this one only says which.

use super::args::OverlayVerb;
use super::context::Context;
use super::overlay_run;
use anyhow::Result;
use std::process::ExitCode;

pub(super) fn run(context: &Context, verb: &OverlayVerb) -> Result<ExitCode> {
    match verb {
        OverlayVerb::Run(args) => overlay_run::run(context, args),
    }
}
