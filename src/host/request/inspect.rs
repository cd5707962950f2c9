//! The last look at a finished copy of a user's source, before it is laid over anything.
//! It copies and changes nothing; what the policy refuses is `crate::request::hazard`'s.
//! It trusts nothing that was found while copying: this is what will be seen, and it is root's.

use crate::request::hazard::{Hazard, Seen, hazards};
use crate::request::limits::Rules;
use crate::verity::Fault;
use rustix::fs::{self as rfs, FileType};
use std::path::Path;

/// Looks at a finished copy once more, as it will be seen: nothing in it may be anybody's but root's, or what was refused.
pub(super) fn inspect(path: &Path, rules: &Rules) -> anyhow::Result<()> {
    let refused = |path: &Path, what: &str| Fault::data(format!("{} in the copy {what}", path.display()));
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let stat = rfs::lstat(&path)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_uid != 0 || stat.st_gid != 0 {
            return Err(refused(&path, "is not root's").into());
        }
        let seen = Seen { mode: stat.st_mode, ..Seen::default() };
        let hazards = if kind == FileType::Symlink { Vec::new() } else { hazards(&seen, 1) };
        let never = |hazard: &&Hazard| hazard.never() || rules.refuse.contains(hazard);
        if let Some(hazard) = hazards.iter().find(never) {
            return Err(refused(&path, &format!("has become {}", hazard.name())).into());
        }
        if kind == FileType::Directory {
            for entry in std::fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    Ok(())
}
