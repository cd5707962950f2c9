//! The other side: a command of an ordinary user that asks `veneer-overlay-request.socket`.
//! It decides nothing and needs no privileges: the source is opened with the user's own rights, and only that is sent.
//! While an administrator may have to be asked, polkit's agent for terminals runs (pkttyagent(1)), as systemctl does it.

use super::wire::Wire;
use crate::layout::REQUEST_SOCKET;
use crate::request::Denial;
use crate::request::interface::NAME;
use crate::request::message::{Reply, call};
use anyhow::{Context, Result};
use rustix::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde_json::{Map, Value};
use std::io::{ErrorKind, IsTerminal as _, Read as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What came of a question.
#[derive(Debug)]
pub enum Outcome {
    /// It was granted.
    Granted(Map<String, Value>),
    /// It was not.
    Denied(Denial),
}

/// Opens a source with the user's own rights.
pub fn source(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).with_context(|| format!("opening the source {}", path.display()))
}

/// Asks one thing of the service.
pub fn ask(method: &str, parameters: &Value, source: Option<&OwnedFd>) -> Result<Outcome> {
    let stream = UnixStream::connect(REQUEST_SOCKET).map_err(|error| absent(&error))?;
    let mut wire = Wire::new(stream.into(), None);
    let descriptors: Vec<_> = source.iter().map(|source| source.as_fd()).collect();
    // Until the answer is there.
    let _agent = Agent::start();
    wire.send(&call(&format!("{NAME}.{method}"), parameters), &descriptors)?;
    let answer = wire.receive().map_err(|denial| anyhow::anyhow!("reading the answer: {}", denial.sentence()))?;
    let answer = answer.context("the service ended without an answer: see journalctl -u 'veneer-overlay-request@*'")?;
    let reply: Reply = serde_json::from_slice(&answer.message).context("reading the answer")?;
    Ok(match reply.error {
        Some(error) => Outcome::Denied(Denial::from_wire(&error, &reply.parameters)),
        None => Outcome::Granted(reply.parameters),
    })
}

fn absent(error: &std::io::Error) -> anyhow::Error {
    let said = match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            "users cannot ask for overlays here: an administrator has to run \
             systemctl enable --now veneer-overlay-request.socket"
                .to_owned()
        }
        _ => format!("connecting to {REQUEST_SOCKET}: {error}"),
    };
    crate::verity::Fault::unavailable(said).into()
}

/// Polkit's agent, for as long as a question is open.
struct Agent(Option<Child>);

impl Agent {
    /// Starts it if somebody at a terminal can be asked; without it, another agent of the session may be there.
    fn start() -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self(terminal.then(Self::begin).flatten())
    }

    fn begin() -> Option<Child> {
        let (ours, theirs) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).ok()?;
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).ok()?;
        let number = theirs.as_raw_fd().to_string();
        let mut command = Command::new("pkttyagent");
        let child = command.args(["--notify-fd", &number, "--fallback"]).stdout(Stdio::null()).spawn().ok()?;
        drop(theirs);
        // It closes the pipe when it is ready, or has ended.
        let _ = std::fs::File::from(ours).read(&mut [0]);
        Some(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let pid = rustix::process::Pid::from_child(child);
            // It restores the terminal when it is told to end; a second one would be too many.
            if rustix::process::kill_process(pid, rustix::process::Signal::TERM) != Err(Errno::SRCH) {
                let _ = child.wait();
            }
        }
    }
}
