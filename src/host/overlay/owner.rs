//! Users by number and name, as overlays are theirs.
//! It judges nobody: what a user may is asked elsewhere.
//! Names come from the system's user database (getpwnam(3)).

use crate::verity::Fault;
use anyhow::{Context, Result};
use nix::unistd::{Uid, User};

/// The number of a user, from a number or a name.
pub fn number(text: &str) -> Result<u32> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let found = User::from_name(text).with_context(|| format!("asking for the user {text}"))?;
    let missing = || Fault::data(format!("there is no user {text:?}"));
    Ok(found.ok_or_else(missing)?.uid.as_raw())
}

/// The name of a user; the number if there is none.
pub fn name(uid: u32) -> String {
    // A database that cannot be asked names nobody.
    let found = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    found.map_or_else(|| uid.to_string(), |user| user.name)
}
