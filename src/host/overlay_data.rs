//! `veneer-overlay reset` and `remove`: what an app wrote into its persistent layer goes.
//! Nothing is touched while the app is up, and nothing outside the app's own directory ever.
//! The directory is renamed first and deleted then: whatever breaks off, the next start sees all of the data or none.

use super::{files, mark_store, mounts};
use crate::layout::{AppPaths, OVERLAYS};
use crate::name::AppId;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// How much goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clearing {
    /// What was written; the next start begins with the image as it is.
    Reset,
    /// The app's directory as well: the app is not coming back.
    Remove,
}

/// What stands between an id and eight hex digits in the name of a directory on its way out; no id begins with a dot.
const GONE: &str = ".gone-";

/// `systemctl stop` returns when the app has stopped; its mounts go a moment later.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);

/// The paths that would go, with nothing done; a refusal if the app is up.
pub fn plan(id: &AppId) -> Result<Vec<String>> {
    refuse_if_in_use(id, PATIENCE)?;
    let own = AppPaths::new(id).overlay();
    let there = std::fs::exists(&own).with_context(|| format!("looking for {own}"))?;
    Ok(there.then_some(own).into_iter().chain(leftovers(id)?).collect())
}

/// Does it; false if there was nothing.
pub fn clear(id: &AppId, clearing: Clearing) -> Result<bool> {
    let planned = plan(id)?;
    let own = AppPaths::new(id).overlay();
    if planned.contains(&own) {
        set_aside(id, &own)?;
        if clearing == Clearing::Reset {
            files::make_directory(&own, 0o700)?;
        }
    }
    for path in leftovers(id)? {
        std::fs::remove_dir_all(&path).with_context(|| format!("deleting {path}"))?;
    }
    Ok(!planned.is_empty())
}

/// A start may have come in between: then the data goes back.
fn set_aside(id: &AppId, own: &str) -> Result<()> {
    let mut number = [0; 4];
    rustix::rand::getrandom(&mut number, rustix::rand::GetRandomFlags::empty()).context("drawing a number")?;
    let aside = format!("{OVERLAYS}/.{id}{GONE}{:08x}", u32::from_ne_bytes(number));
    std::fs::rename(own, &aside).with_context(|| format!("setting {own} aside"))?;
    refuse_if_in_use(id, Duration::ZERO).inspect_err(|_| {
        // What cannot be put back stays aside, whole, and is named by the next attempt.
        drop(std::fs::rename(&aside, own));
    })
}

fn refuse_if_in_use(id: &AppId, patience: Duration) -> Result<()> {
    let upper = format!("{}/upper", AppPaths::new(id).overlay());
    let end = Instant::now() + patience;
    while mark_store::read(id)?.is_some() || mounts::is_upper(&upper)? {
        if Instant::now() >= end {
            return Err(Fault::failure(format!("the app is up: run `systemctl stop app@{id}` first")).into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn leftovers(id: &AppId) -> Result<Vec<String>> {
    let mut names = files::names_in(OVERLAYS)?;
    names.retain(|name| is_leftover(name, id));
    Ok(names.into_iter().map(|name| format!("{OVERLAYS}/{name}")).collect())
}

fn is_leftover(name: &str, id: &AppId) -> bool {
    let digits = name.strip_prefix('.').and_then(|rest| rest.strip_prefix(id.as_str())?.strip_prefix(GONE));
    digits.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_apps_own_leftovers_are_taken_for_such() {
        let id = AppId::parse("a").expect("good id");
        assert!(is_leftover(".a.gone-0123abcd", &id));
        for other in
            ["a.gone-0123abcd", ".a-b.gone-0123abcd", ".a.gone-0123abc", ".a.gone-0123abcg", ".b.gone-0123abcd"]
        {
            assert!(!is_leftover(other, &id), "{other}");
        }
    }
}
