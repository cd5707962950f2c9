//! Small acts on files that may be there or not.
//! Nothing here deletes more than the one thing it is told.
//! Each takes "not there" as done and nothing else (unlink(2), rmdir(2), symlink(2)).

use anyhow::{Context, Result};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;

/// Removes a file or a link; true if there was one.
pub fn remove_file(path: &str) -> Result<bool> {
    removed(std::fs::remove_file(path)).with_context(|| format!("removing {path}"))
}

/// Removes an empty directory; true if there was one.
pub fn remove_directory(path: &str) -> Result<bool> {
    removed(std::fs::remove_dir(path)).with_context(|| format!("removing the directory {path}"))
}

fn removed(result: std::io::Result<()>) -> std::io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a directory; true if it was not there.
pub fn make_directory(path: &str, mode: u32) -> Result<bool> {
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("making the directory {path}")),
    }
}

/// Makes a link, in the place of one that is there.
pub fn link(at: &str, to: &str) -> Result<()> {
    let made = match std::os::unix::fs::symlink(to, at) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::remove_file(at).and_then(|()| std::os::unix::fs::symlink(to, at))
        }
        made => made,
    };
    made.with_context(|| format!("linking {at} to {to}"))
}

/// The names in a directory, sorted; none if it is not there.
pub fn names_in(path: &str) -> Result<Vec<String>> {
    let read = || -> Result<Vec<String>, Error> {
        let entries = match std::fs::read_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    };
    read().with_context(|| format!("listing {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doing_it_twice_is_doing_it_once() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = |name: &str| format!("{}/{name}", dir.path().display());
        assert!(make_directory(&path("d"), 0o700).expect("made"));
        assert!(!make_directory(&path("d"), 0o700).expect("there"));
        link(&path("d/l"), "/x").expect("linked");
        link(&path("d/l"), "/y").expect("linked again");
        assert_eq!(std::fs::read_link(path("d/l")).expect("a link").to_str(), Some("/y"));
        assert_eq!(names_in(&path("d")).expect("list"), ["l"]);
        assert!(remove_directory(&path("d")).is_err());
        assert!(remove_file(&path("d/l")).expect("removed"));
        assert!(!remove_file(&path("d/l")).expect("gone"));
        assert!(remove_directory(&path("d")).expect("removed"));
        assert!(!remove_directory(&path("d")).expect("gone"));
        assert!(names_in(&path("d")).expect("none").is_empty());
    }
}
