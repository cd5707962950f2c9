//! Requests of users about overlays over the host, answered: one connection of `veneer-overlay-request.socket`.
//! What may be asked is `crate::request`'s, what an overlay is `crate::overlay`'s; here is who asks, and the doing.
//! Nothing that a user sends is followed with root's rights: see `copy`, and docs/overlays.md ("Users").

mod acts;
pub mod client;
mod closed;
mod copy;
mod inspect;
mod looks;
mod no_files;
mod peer;
mod polkit;
mod rights;
mod slot;
pub mod staging;
mod wire;

use crate::host::journal::{Caller, Entry, Journal, Weight};
use crate::message;
use crate::request::call::Request;
use crate::request::message::{Answer, Call, refusal, reply};
use crate::request::{Denial, interface};
use anyhow::{Context as _, Result};
use peer::Peer;
use rustix::fd::OwnedFd;
use serde_json::{Value, json};
use std::time::Duration;
use wire::{Incoming, Wire};

/// How long a connection may say nothing.
const IDLE: Duration = Duration::from_secs(10);

/// The connection that systemd has put in the place of standard input.
pub fn connection() -> Result<OwnedFd> {
    let connection = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3).context("taking the connection")?;
    // Nothing that we run gets it.
    let nothing = std::fs::File::open("/dev/null").context("opening /dev/null")?;
    nix::unistd::dup2_stdin(nothing).context("leaving standard input")?;
    Ok(connection)
}

/// Answers the calls of one connection until its other side closes it, or says nothing.
pub fn serve(socket: OwnedFd) -> Result<()> {
    let journal = Journal::open("veneer-overlay-request", Caller::Environment);
    let peer = Peer::of(&socket).context("finding out who asks")?;
    let mut wire = Wire::new(socket, Some(IDLE));
    let slot = match slot::take(&peer)? {
        Some(slot) => slot,
        None => {
            let said = Denial::LimitExceeded(format!("{} asks too much at once: try again", peer.shown()));
            return wire.send(&refusal(&said), &[]);
        }
    };
    let mut served = Ok(());
    while served.is_ok() {
        match wire.receive() {
            Ok(Some(incoming)) => served = answer(&peer, incoming, &mut wire, &journal),
            Ok(None) => break,
            Err(denial) => {
                log(&journal, &peer, "a message", &Err(denial.clone()));
                served = wire.send(&refusal(&denial), &[]);
                break;
            }
        }
    }
    drop(slot);
    served
}

fn answer(peer: &Peer, incoming: Incoming, wire: &mut Wire, journal: &Journal) -> Result<()> {
    let call = match Call::parse(&incoming.message) {
        Ok(call) => call,
        Err(denial) => {
            log(journal, peer, "a message", &Err(denial.clone()));
            return wire.send(&refusal(&denial), &[]);
        }
    };
    let request = Request::read(&call, incoming.descriptors.len());
    let outcome = request.and_then(|request| act(peer, request, incoming.descriptors, journal));
    match (call.answer(), outcome) {
        (Answer::Unwanted, _) => Ok(()),
        (Answer::Wanted, Ok(parameters)) => wire.send(&reply(&parameters), &[]),
        (Answer::Wanted, Err(denial)) => wire.send(&refusal(&denial), &[]),
    }
}

fn act(peer: &Peer, request: Request, descriptors: Vec<OwnedFd>, journal: &Journal) -> Result<Value, Denial> {
    let what = match &request {
        Request::Info => return Ok(interface::info()),
        Request::Description(text) => return Ok(json!({ "description": text })),
        Request::List => return looks::list(),
        Request::Diff(name, compared) => return looks::diff(peer, name, *compared),
        Request::History(name) => return looks::history(peer, name),
        Request::Apply(apply) => format!("to lay {} over {}", apply.name, apply.target),
        Request::Reset(name, _) => format!("to reset {name}"),
        Request::Rollback(name, ..) => format!("to roll {name} back"),
        Request::Remove(name, ..) => format!("to remove {name}"),
    };
    let outcome = match request {
        Request::Apply(apply) => acts::apply(peer, &apply, descriptors),
        Request::Reset(name, interaction) => acts::reset(peer, &name, interaction),
        Request::Rollback(name, to, interaction) => acts::rollback(peer, &name, to, interaction),
        Request::Remove(name, busy, interaction) => acts::remove(peer, &name, busy, interaction),
        Request::Info | Request::Description(_) | Request::List | Request::Diff(..) | Request::History(_) => {
            unreachable!("answered above")
        }
    };
    log(journal, peer, &what, &outcome);
    outcome
}

fn log(journal: &Journal, peer: &Peer, what: &str, outcome: &Result<Value, Denial>) {
    match outcome {
        Ok(_) => {
            let text = format!("{} asked {what}: granted", peer.shown());
            Entry::about_image(Weight::Info, message::REQUEST_GRANTED, None).say(journal, &text);
        }
        Err(denial) => {
            let text = format!("{} asked {what}: {}", peer.shown(), denial.sentence());
            Entry::about_image(Weight::Warning, message::REQUEST_REFUSED, None).say(journal, &text);
        }
    }
}
