//! Whether a user may: polkit decides, by its rules and, if it comes to that, by asking an administrator.
//! It is asked through its own `pkcheck`: a D-Bus client in here would be some thirty crates for one question.
//! Sources: pkcheck(1) (subjects, exit codes), polkit(8) (rules see the details), org.freedesktop.PolicyKit1.

use super::peer::Peer;
use crate::request::Denial;
use crate::request::call::Interaction;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// Lay something over the host; its detail `target` is what a rule looks at.
pub(super) const APPLY: &str = "io.veneer.overlay.apply";
/// Drop what was written to one's own overlay, or go back to an older version of it.
pub(super) const RESET: &str = "io.veneer.overlay.reset";
/// Take one's own overlay away.
pub(super) const REMOVE: &str = "io.veneer.overlay.remove";

/// `pkcheck`'s codes beside success (pkcheck(1), "RETURN VALUE").
const NOT_AUTHORIZED: i32 = 1;
const NEEDS_ASKING: i32 = 2;
const DISMISSED: i32 = 3;

/// A question to polkit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The action.
    pub(super) action: &'static str,
    /// What a rule can look at, and what a dialog says.
    pub(super) details: &'a [(&'a str, &'a str)],
    /// The dialog's sentence; `$(target)` is the detail.
    pub(super) sentence: &'static str,
}

/// Asks; only a clear yes is one.
pub(super) fn ask(peer: &Peer, question: Question<'_>, interaction: Interaction) -> Result<(), Denial> {
    if peer.uid == 0 {
        return Ok(());
    }
    let mut command = Command::new("pkcheck");
    command.args(["--action-id", question.action, "--process", &peer.subject()]);
    for (key, value) in question.details.iter().chain(&[("polkit.message", question.sentence)]) {
        command.args(["--detail", key, value]);
    }
    if interaction == Interaction::Allowed {
        command.arg("--allow-user-interaction");
    }
    // Our standard input and output are the connection.
    let run = command.stdin(Stdio::null()).stdout(Stdio::null()).output();
    let done = run.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            no("polkit is not here to be asked: an administrator has to install the package polkitd")
        }
        _ => no(&format!("polkit cannot be asked: {error}")),
    })?;
    if !peer.is_there() {
        return Err(no("the asking process has ended"));
    }
    match done.status.code() {
        Some(0) => Ok(()),
        Some(NOT_AUTHORIZED) => Err(no(&format!("polkit does not allow {}", shown(&question)))),
        Some(NEEDS_ASKING) => Err(no(&format!("{} needs an administrator's authorization", shown(&question)))),
        Some(DISMISSED) => Err(no("the authorization was not given")),
        _ => {
            let said = String::from_utf8_lossy(&done.stderr);
            Err(no(&format!("polkit cannot be asked: {}", said.lines().next().unwrap_or("pkcheck was ended").trim())))
        }
    }
}

fn shown(question: &Question<'_>) -> String {
    let details: Vec<String> = question.details.iter().map(|(key, value)| format!("{key} {value}")).collect();
    format!("{} ({})", question.action, details.join(", "))
}

fn no(sentence: &str) -> Denial {
    Denial::NotAuthorized(sentence.to_owned())
}
