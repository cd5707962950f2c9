//! `veneer-verity check`: before each start, whether what is mounted is what the app's units and files say.
//! It changes nothing itself: it has systemd set the chain up anew, or the start fails and says what helps.
//! Nobody's data goes by that: sessions over what is mounted would be stopped with it, so they have the start fail.
//! Rules: systemd.unit(5), `BindsTo=`, `After=`: the app's start, which waits for this unit, then waits for its mounts
//! to go and come again as well, since that was asked for before this unit ends.

use super::journal::{Entry, Journal, Weight};
use super::session::users::bound_to_chain;
use super::{mark_store, trusted};
use crate::live::{LiveMark, LiveSource};
use crate::message;
use crate::name::{AppId, SessionName};
use crate::sysexits::Exit;
use crate::verity::stale::{self, Stale};
use anyhow::{Context, Result, bail};
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

/// So many sessions are named; a host may have thousands.
const SHOWN: usize = 5;

/// Compares, and says in the journal what it found; how it ends decides about the start.
pub fn run(id: &AppId, journal: &Journal) -> Exit {
    match check(id, journal) {
        Ok(()) => Exit::Success,
        Err(error) => {
            let text = format!("starting {id}: {error:#}; {}", advice(id, &error));
            Entry::about(Weight::Error, message::STALE, id).say(journal, &text);
            Exit::Failure
        }
    }
}

/// The sessions that setting the chain up again would stop, and whose data would go with them.
#[derive(Debug)]
struct HasSessions {
    stale: Stale,
    sessions: Vec<SessionName>,
}

impl fmt::Display for HasSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.sessions.iter().take(SHOWN).map(SessionName::as_str).collect();
        write!(f, "{} since it was mounted, and sessions are over it ({}", self.stale, names.join(", "))?;
        match self.sessions.len() - names.len() {
            0 => f.write_str(")"),
            more => write!(f, " and {more} more)"),
        }
    }
}

impl std::error::Error for HasSessions {}

fn advice(id: &AppId, error: &anyhow::Error) -> String {
    match error.is::<HasSessions>() {
        true => format!("it has sessions: stop them first (`veneer session remove {id} --all`), then start it"),
        false => format!("run `systemctl stop app@{id}`, then start it"),
    }
}

fn check(id: &AppId, journal: &Journal) -> Result<()> {
    let Some(mark) = mark_store::read(id)? else {
        return Ok(());
    };
    let chain = mark_store::chain_of(id)?;
    let Some(stale) = stale::find(&mark, chain.as_deref(), trusted::identity_at)? else {
        return Ok(());
    };
    if !is_newer(&stale, &mark)? {
        bail!("what is mounted is not what it should be ({stale}), and was just set up");
    }
    let sessions = bound_to_chain(id)?;
    if !sessions.is_empty() {
        return Err(HasSessions { stale, sessions }.into());
    }
    let text = format!("{id}: {stale} since it was mounted: setting its mounts up again");
    Entry::about(Weight::Warning, message::REPLACED, id).image(image_of(&mark)).say(journal, &text);
    restart(id)
}

/// Whether the change came after the set-up: if not, setting up again would find the same, for ever.
fn is_newer(stale: &Stale, mark: &LiveMark) -> Result<bool> {
    let path = match stale {
        Stale::Gone(_) => return Ok(true),
        Stale::Units => mark_store::unit(&mark.id),
        Stale::Replaced(path) | Stale::Appeared(path) => path.clone(),
    };
    let act = || format!("looking at {path}");
    // A link that was switched may lead to a file that is older than the mounts.
    let found = [std::fs::metadata(&path).with_context(act)?, std::fs::symlink_metadata(&path).with_context(act)?];
    let changed = found.map(|found| i128::from(found.ctime()) * 1_000_000 + i128::from(found.ctime_nsec() / 1000));
    Ok(changed.into_iter().any(|changed| changed >= i128::from(mark.since)))
}

fn restart(id: &AppId) -> Result<()> {
    let anchor = format!("veneer-verity@{id}.service");
    let out = Command::new("systemctl")
        .args(["--no-block", "restart", &anchor, &format!("app@{id}.service")])
        .stdin(Stdio::null())
        .output()
        .context("running systemctl")?;
    if !out.status.success() {
        bail!("systemctl restart {anchor}: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}

fn image_of(mark: &LiveMark) -> Option<&str> {
    match &mark.source {
        LiveSource::Image(image) => Some(&image.file.path),
        LiveSource::Fallback { looked_for, .. } => looked_for.first().map(String::as_str),
        LiveSource::Directory(_) => None,
    }
}
