//! The files that say how images are fetched: which of several places has one, and what of the host's own is hidden.
//! It reads none of them: what is in them is skopeo's and buildah's to say.
//! A name that is there in any form is meant. One that leads to nothing or cannot be read is an error, and no reason to
//! take the next place: a policy that takes any image must not stand in for one that does not (containers-policy.json(5)).

use super::{alone, below_root};
use crate::sysexits::Exit;
use crate::verity::Fault;
use anyhow::Result;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What the host's own container tools are configured with and these would read besides what they are told
/// (containers-registries.conf.d(5), containers-registries.d(5)), and what lies over it. The unit says the same.
const HIDDEN: [(&str, &str); 2] = [
    ("/usr/lib/veneer/registries.conf.d", "/etc/containers/registries.conf.d"),
    ("/usr/lib/veneer/registries.d", "/etc/containers/registries.d"),
];

/// What must be at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes.
    File,
    /// A directory.
    Directory,
}

/// The first of these names at which something is, which can be read; none if nothing is at any.
pub(super) fn first(names: &[PathBuf], kind: Kind) -> Result<Option<PathBuf>> {
    for name in names {
        match name.symlink_metadata().and_then(|_| readable(name, kind)) {
            Ok(()) => return Ok(Some(name.clone())),
            // Nothing is there under this name, and not behind it: that would be a link.
            Err(error) if error.kind() == ErrorKind::NotFound && !below_root::exists(name) => {}
            Err(error) => return Err(unreadable(name, &error)),
        }
    }
    Ok(None)
}

/// The same where something must be.
pub(super) fn needed(names: &[PathBuf], kind: Kind) -> Result<PathBuf> {
    let names_in_a_row = || names.iter().map(|name| name.display().to_string()).collect::<Vec<_>>().join(", nor ");
    first(names, kind)?.ok_or_else(|| Fault::no_input(format!("there is no {}", names_in_a_row())).into())
}

/// Nothing waits for a pipe's other end.
fn readable(name: &Path, kind: Kind) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let is_dir = OpenOptions::new().read(true).custom_flags(flags).open(name)?.metadata()?.is_dir();
    match (kind, is_dir) {
        (Kind::File, true) => Err(ErrorKind::IsADirectory.into()),
        (Kind::Directory, false) => Err(ErrorKind::NotADirectory.into()),
        _ => Ok(()),
    }
}

fn unreadable(name: &Path, error: &io::Error) -> anyhow::Error {
    let why = match error.kind() {
        ErrorKind::NotFound => "it is a link to nothing".to_owned(),
        _ => error.to_string(),
    };
    Fault { exit: Exit::Config, sentence: format!("{} cannot be used: {why}", name.display()) }.into()
}

/// Gives this process a view without what the host's own container tools are configured with, as the unit has it.
/// Where that is not possible, the error says what holds besides.
pub fn hide_the_hosts() -> Result<()> {
    let there: Vec<_> = HIDDEN.iter().filter(|(over, place)| has_names(place) && Path::new(over).is_dir()).collect();
    if there.is_empty() {
        return Ok(());
    }
    alone::own_mounts()?;
    there.iter().try_for_each(|(over, place)| alone::bind(Path::new(over), Path::new(place)))
}

/// Whether this process has such a view already: systemd.exec(5), "BindReadOnlyPaths=".
pub fn is_in_unit() -> bool {
    std::env::var_os("RUNTIME_DIRECTORY").is_some()
}

fn has_names(directory: &str) -> bool {
    // One that cannot be read cannot be read by the tools, either.
    fs::read_dir(directory).is_ok_and(|mut names| names.next().is_some())
}

/// Where signatures are looked for; the tools are told a directory, empty or not, so that they look nowhere else.
pub(super) fn lookaside(at: impl Fn(&str) -> PathBuf) -> Result<Option<PathBuf>> {
    first(&[at("/etc/veneer/registries.d"), at("/usr/lib/veneer/registries.d")], Kind::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn places() -> (tempfile::TempDir, [PathBuf; 2]) {
        let root = tempfile::tempdir().expect("temporary directory");
        let names = ["etc", "usr"].map(|dir| root.path().join(dir));
        names.iter().for_each(|dir| fs::create_dir(dir).expect("made"));
        let files = names.map(|dir| dir.join("policy.json"));
        fs::write(&files[1], "any").expect("written");
        (root, files)
    }

    #[test]
    fn only_a_name_that_is_not_there_gives_way_to_the_next() {
        let (_root, names) = places();
        assert_eq!(first(&names, Kind::File).expect("looked"), Some(names[1].clone()));
        fs::write(&names[0], "mine").expect("written");
        assert_eq!(first(&names, Kind::File).expect("looked"), Some(names[0].clone()));
        assert_eq!(first(&[names[0].with_file_name("none")], Kind::File).expect("looked"), None);
        let said = needed(&[names[0].with_file_name("none")], Kind::File).expect_err("nowhere").to_string();
        assert!(said.starts_with("there is no ") && said.ends_with("/none"), "{said}");
    }

    #[test]
    fn what_is_there_and_cannot_be_used_is_an_error_and_never_the_default() {
        type Spoil = (&'static str, fn(&Path));
        let spoil: [Spoil; 4] = [
            ("a link to nothing", |name| symlink("gone", name).expect("linked")),
            ("levels of symbolic links", |name| symlink("policy.json", name).expect("linked")),
            ("directory", |name| fs::create_dir(name).expect("made")),
            ("t a directory", |name| {
                let dir = name.parent().expect("a directory");
                fs::remove_dir(dir).and_then(|()| fs::write(dir, "")).expect("a file instead");
            }),
        ];
        for (said, spoil) in spoil {
            let (_root, names) = places();
            spoil(&names[0]);
            let error = first(&names, Kind::File).expect_err(said);
            let text = error.to_string().to_lowercase();
            assert!(text.contains("etc/policy.json cannot be used: ") && text.contains(said), "{text}");
            assert_eq!(Fault::of(&error).map(|fault| fault.exit), Some(Exit::Config));
        }
        let (_root, names) = places();
        fs::write(&names[0], "mine").expect("written");
        fs::set_permissions(&names[0], fs::Permissions::from_mode(0o000)).expect("hidden");
        // root reads it all the same.
        if fs::read(&names[0]).is_err() {
            assert!(first(&names, Kind::File).expect_err("unreadable").to_string().contains("ermission denied"));
        }
        assert!(first(&names[1..], Kind::Directory).is_err());
    }
}
