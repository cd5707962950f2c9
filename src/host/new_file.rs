//! Whether a file may be written under a name that somebody typed: where nothing is yet, or a regular file.
//! It writes nothing. All who write such a file whole, by rename(2), ask here first.
//! Rules: rename(2) puts a file in the place of a device node, and of a link instead of what the link leads to.

use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fs::FileType;
use std::io::ErrorKind;
use std::path::Path;

/// Refuses a name that something other than a regular file has, or whose directory is not there.
pub fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    if path.file_name().is_none() {
        return Err(Fault::data(format!("{shown} names no file")).into());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match directory.metadata() {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(Fault::data(format!("{} is no directory", directory.display())).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Fault::no_input(format!("there is no directory {} for {shown}", directory.display())).into());
        }
        Err(error) => return Err(error).with_context(|| format!("looking at {}", directory.display())),
    }
    match path.symlink_metadata() {
        Ok(found) => match what(FileType::from_raw_mode(std::os::unix::fs::MetadataExt::mode(&found))) {
            Some(what) => Err(Fault::data(format!("{shown} is {what}: only a regular file is written over")).into()),
            None => Ok(()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("looking at {shown}")),
    }
}

/// What stands in the way, in words; none for a regular file.
pub(super) fn what(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Symlink => Some("a symbolic link"),
        FileType::BlockDevice | FileType::CharacterDevice => Some("a device node"),
        FileType::Fifo => Some("a named pipe"),
        FileType::Socket => Some("a socket"),
        FileType::Unknown => Some("of no known kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysexits::Exit;

    #[test]
    fn only_nothing_and_a_regular_file_are_written_over() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "old").expect("file");
        std::fs::create_dir(path("directory")).expect("directory");
        std::os::unix::fs::symlink("file", path("link")).expect("link");
        drop(std::os::unix::net::UnixListener::bind(path("socket")).expect("socket"));
        for good in ["file", "new"] {
            check(&path(good)).expect(good);
        }
        let refused = |path: &Path| {
            let error = check(path).expect_err("refused");
            let fault = Fault::of(&error).expect("a fault");
            assert!(fault.sentence.contains(&path.display().to_string()), "{fault}");
            fault.exit
        };
        for name in ["directory", "link", "socket"] {
            assert_eq!(refused(&path(name)), Exit::Data, "{name}");
        }
        for name in ["/dev/null", "/dev/stdout", "/"] {
            assert_eq!(refused(Path::new(name)), Exit::Data, "{name}");
        }
        assert_eq!(refused(&path("none/new")), Exit::NoInput);
        assert!(check(&path("file/new")).is_err());
    }
}
