//! The admin's command: one file a verb, and the parts they share.
//! It never writes units (systemd runs the generator for that) and holds no state of its own.
//! Manners: systemctl(1); what is printed is laid out by pure parts (`table`, `tree`, `unified`, `annotate`, `show`).

pub mod annotate;
mod apps;
pub mod args;
mod cat;
mod changes;
mod check;
mod completions;
mod context;
mod diff;
mod doctor;
mod doctor_looks;
mod doctor_requests;
mod doctor_sessions;
mod enable;
pub mod fault;
mod image;
pub mod image_args;
mod image_find;
mod image_keep;
mod image_list;
mod image_ship;
mod image_text;
mod import;
mod json;
mod list;
pub mod mountinfo;
mod overlay;
pub mod overlay_args;
mod overlay_ask;
mod overlay_diff;
mod overlay_host;
mod overlay_list;
mod overlay_run;
mod overlay_share;
mod pulled;
mod reload;
mod session;
pub mod session_args;
mod session_text;
pub mod show;
mod stale;
mod status;
mod status_text;
pub mod style;
pub mod table;
pub mod time;
pub mod tree;
pub mod unified;
mod unit_files;
mod why;

use crate::host::terminal::{complain, print};
use crate::sysexits::Exit;
use anyhow::Result;
use args::{Cli, Verb};
use clap::FromArgMatches as _;
use context::Context;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command line; what it ends with.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut command = args::command();
    let read = command.try_get_matches_from_mut(typed).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match read.map_err(|error| error.format(&mut command)) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match Context::new(cli.root).and_then(|context| run(&context, &cli.verb)) {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!("veneer: {error:#}\n"));
            fault::exit_of(&error).into()
        }
    }
}

/// `--help` and `--version` come this way as well, and are no error.
fn usage(error: &clap::Error) -> ExitCode {
    if error.print().is_err() || error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}

fn run(context: &Context, verb: &Verb) -> Result<ExitCode> {
    let done = |text: String| print(&text).map(|()| ExitCode::SUCCESS);
    match verb {
        Verb::Check(args) => check::run(context, args),
        Verb::List(args) => done(list::run(context, args)?),
        Verb::Status(args) => status::run(context, args),
        Verb::Cat(args) => done(cat::run(context, args)?),
        Verb::Diff(args) => done(diff::run(context, args)?),
        Verb::Reload(args) => reload::run(context, args),
        Verb::Enable(args) => enable::run(context, args, enable::Wish::Start),
        Verb::Disable(args) => enable::run(context, args, enable::Wish::Leave),
        Verb::Why(args) => done(why::run(context, args)?),
        Verb::Image(args) => image::run(context, &args.verb),
        Verb::Session(args) => session::run(context, &args.verb),
        Verb::Overlay(args) => overlay::run(context, &args.verb),
        Verb::Doctor(args) => doctor::run(context, args),
        Verb::Completions(args) => done(completions::run(args)),
    }
}
