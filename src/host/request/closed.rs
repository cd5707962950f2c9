//! Directories that are closed to others stay so: a user's source opens none of those that it lies over.
//! It changes nothing; what else a source may not have is `inspect`'s and the policy's.
//! Why: a directory that several layers have is one, with the modes of the topmost (overlayfs.rst, "Directories"); so
//! what a source brings as 0755 would show everybody what lies beneath in 0700.

use crate::verity::Fault;
use anyhow::{Context as _, Result};
use rustix::fs::{self as rfs, FileType, Stat};
use rustix::io::Errno;
use std::path::Path;

/// What others may do; the copy's group is root's, which nobody else is in.
const OTHERS: u32 = 0o007;
/// Coming through.
const THROUGH: u32 = 0o001;

/// Refuses a copy with a directory that lets others do more than the one that it lies over.
pub(super) fn refuse_opening(copy: &Path, beneath: &Path) -> Result<()> {
    let mut waiting = vec![Path::new("").to_owned()];
    while let Some(path) = waiting.pop() {
        let within = |root: &Path| directory(&root.join(&path));
        let (Some(new), Some(old)) = (within(copy)?, within(beneath)?) else { continue };
        // The root has the target's own mode, whatever the source's is.
        let is_root = path.as_os_str().is_empty();
        if !is_root && new.st_mode & OTHERS & !old.st_mode != 0 {
            let (new, old) = (new.st_mode & 0o777, old.st_mode & 0o777);
            let text = format!("{} has mode {new:04o}, and would open a directory of mode {old:04o}", path.display());
            return Err(Fault::data(text).into());
        }
        // Behind one that others do not come through, they reach nothing.
        if is_root || old.st_mode & THROUGH != 0 {
            let act = || format!("listing {}", copy.join(&path).display());
            for entry in std::fs::read_dir(copy.join(&path)).with_context(act)? {
                waiting.push(path.join(entry.with_context(act)?.file_name()));
            }
        }
    }
    Ok(())
}

fn directory(path: &Path) -> Result<Option<Stat>> {
    match rfs::lstat(path) {
        Ok(stat) => Ok(Some(stat).filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("looking at {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_source_opens_no_directory_that_is_closed_and_says_nothing_of_what_is_behind_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let (copy, beneath) = (dir.path().join("copy"), dir.path().join("beneath"));
        let make = |root: &Path, path: &str, mode: u32| {
            let path = root.join(path);
            std::fs::create_dir_all(&path).expect("made");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("changed");
        };
        for (path, new, old) in [("open", 0o755, 0o755), ("less", 0o700, 0o755), ("shut", 0o700, 0o700)] {
            make(&copy, path, new);
            make(&beneath, path, old);
        }
        // Nobody comes through `shut`, so what is in it is nobody's to know.
        make(&copy, "shut/in", 0o755);
        make(&beneath, "shut/in", 0o700);
        make(&copy, "new", 0o755);
        std::fs::write(copy.join("file"), "").expect("written");
        make(&beneath, "file", 0o700);
        refuse_opening(&copy, &beneath).expect("it opens none");
        make(&copy, "open/in", 0o755);
        make(&beneath, "open/in", 0o750);
        let said = refuse_opening(&copy, &beneath).expect_err("it opens one").to_string();
        assert_eq!(said, "open/in has mode 0755, and would open a directory of mode 0750");
    }
}
