//! Where an overlay may lie: which targets need to be named twice, and which two cannot be beside each other.
//! It looks at no disk: links have been resolved before, and whether the target is there is found out elsewhere.
//! The list is of what a host cannot lose for a moment (file-hierarchy(7)), and of what is no place for files of an admin.

use super::OverlayName;
use crate::path::AbsPath;
use crate::unit::UnitName;

/// Never, not even forced: what the kernel, systemd or we keep there is no tree of files.
const NEVER: [&str; 6] = ["/", "/proc", "/sys", "/dev", "/run", "/var/lib/veneer"];
/// Only forced: the directory as a whole, though what is in it may be overlaid.
const WHOLE: [&str; 21] = [
    "/usr",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/share",
    "/usr/local",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/home",
    "/root",
    "/opt",
    "/srv",
    "/tmp",
    "/var",
    "/var/lib",
    "/mnt",
];
/// Only forced, and so is everything in it.
const ALL: [&str; 8] = [
    "/etc",
    "/boot",
    "/efi",
    "/usr/lib/systemd",
    "/usr/lib/veneer",
    "/usr/libexec/veneer",
    "/usr/lib/modules",
    "/var/lib/systemd",
];
/// What a directory of shared libraries is called (Debian's multiarch): each library may be replaced, all at once may not.
const LIBRARIES: &str = "-linux-gnu";

/// What the host cannot do without at a target, if anything.
fn critical(text: &str) -> Option<&'static str> {
    let at_or_below = |dir: &str| text == dir || text.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    let whole = WHOLE.iter().find(|whole| **whole == text);
    let libraries = || {
        let name = text.strip_prefix("/usr/lib/").filter(|name| !name.contains('/'))?;
        name.contains(LIBRARIES).then_some(&"its libraries")
    };
    whole.or_else(|| ALL.iter().find(|all| at_or_below(all))).or_else(libraries).copied()
}

/// How critical a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// It is a place like any other.
    None,
    /// It must be named again.
    Critical(&'static str),
    /// It cannot be.
    Forbidden(&'static str),
}

/// How critical a resolved target is.
pub fn danger(target: &AbsPath) -> Danger {
    let text = target.as_str();
    let at_or_below = |dir: &str| text == dir || text.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    for never in NEVER {
        if text == never || never != "/" && at_or_below(never) {
            return Danger::Forbidden(never);
        }
    }
    critical(text).map_or(Danger::None, Danger::Critical)
}

/// The longest name of a unit (systemd's `UNIT_NAME_MAX`), and of a file.
const UNIT_NAME_MAX: usize = 255;

/// Refuses a target whose mount cannot be named, and a critical one that was not named again; the error is a sentence.
pub fn check(target: &AbsPath, forced: Option<&AbsPath>) -> Result<(), String> {
    let length = UnitName::mount_of(target.as_str()).as_str().len();
    if length > UNIT_NAME_MAX {
        return Err(format!(
            "{target} is too long: the name of its mount unit would have {length} bytes, and {UNIT_NAME_MAX} are the most \
             (each - in a path becomes 4)"
        ));
    }
    match danger(target) {
        Danger::None => Ok(()),
        Danger::Forbidden(what) if what == target.as_str() => Err(format!("nothing can be laid over {target}")),
        Danger::Forbidden(what) => Err(format!("nothing can be laid over {target}: it is in {what}")),
        Danger::Critical(_) if forced == Some(target) => Ok(()),
        Danger::Critical(what) => {
            let why = match what.strip_prefix('/') {
                Some(_) if what != target.as_str() => format!("the host cannot do without what is in {what}"),
                _ => "the host cannot do without it".to_owned(),
            };
            Err(format!("{target} is critical: {why}. If it is meant, say --force-target={target}"))
        }
    }
}

/// Refuses a target that is another overlay's, or lies within one, or around one; the error is a sentence.
pub fn check_beside<'a>(
    name: &OverlayName,
    target: &AbsPath,
    others: impl IntoIterator<Item = (&'a OverlayName, &'a AbsPath)>,
) -> Result<(), String> {
    for (other, at) in others.into_iter().filter(|(other, _)| *other != name) {
        if at == target {
            return Err(format!("the overlay {other} lies over {target} already"));
        }
        if target.is_at_or_below(at) {
            return Err(format!("{target} lies within {at}, over which the overlay {other} lies"));
        }
        if at.is_at_or_below(target) {
            return Err(format!("{at}, over which the overlay {other} lies, lies within {target}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AbsPath {
        AbsPath::parse(text).expect("good path")
    }

    #[test]
    fn what_the_host_cannot_do_without_is_named_twice() {
        for target in ["/usr/share/site", "/usr/lib/foo", "/opt/x", "/usr/lib/x86_64-linux-gnu/foo.so", "/srv/www"] {
            assert_eq!(check(&path(target), None), Ok(()), "{target}");
        }
        for target in ["/usr", "/etc", "/etc/ssh", "/boot/grub", "/usr/lib/systemd/system", "/usr/lib/x86_64-linux-gnu"]
        {
            let said = check(&path(target), None).expect_err(target);
            assert!(said.contains(&format!("--force-target={target}")), "{said}");
            assert_eq!(check(&path(target), Some(&path(target))), Ok(()), "{target}");
            assert!(check(&path(target), Some(&path("/usr/x"))).is_err());
        }
        for target in ["/", "/proc", "/proc/sys", "/run/veneer", "/dev/shm", "/var/lib/veneer/images"] {
            assert!(check(&path(target), Some(&path(target))).is_err(), "{target}");
        }
    }

    #[test]
    fn a_target_whose_mount_cannot_be_named_is_refused() {
        let longest = format!("/opt/{}", "x".repeat(255 - "opt-.mount".len()));
        assert_eq!(check(&path(&longest), None), Ok(()));
        let said = check(&path(&format!("{longest}x")), None).expect_err("one more");
        assert!(said.ends_with("would have 256 bytes, and 255 are the most (each - in a path becomes 4)"), "{said}");
        assert!(check(&path(&format!("/opt/{}", "-".repeat(62))), None).is_err());
    }

    #[test]
    fn two_overlays_never_touch() {
        let (a, b) = (OverlayName::parse("a").expect("name"), OverlayName::parse("b").expect("name"));
        let taken = path("/opt/a/b");
        let beside = |target: &str| check_beside(&b, &path(target), [(&a, &taken)]);
        for bad in ["/opt/a/b", "/opt/a", "/opt/a/b/c"] {
            assert!(beside(bad).is_err(), "{bad}");
        }
        assert_eq!(beside("/opt/a/bc"), Ok(()));
        // An overlay is not in its own way.
        assert_eq!(check_beside(&a, &taken, [(&a, &taken)]), Ok(()));
    }
}
