//! Where sessions may keep what they write: a directory of their own.
//! It looks at no disk; what is in a directory is seen when a session is made, and nothing there is deleted that was not
//! made by one (`host::session::data`). This only tells early, and with its place, what can never be right.
//! The names are those of file-hierarchy(7) and hier(7), and of programs that keep other people's roots.

use super::image::foreign_path;
use crate::layout::{SESSION_DATA, STORE};
use crate::path::AbsPath;
use crate::unit::Layer;

/// Others' altogether: nothing in them is ours to use.
const NEVER: [&str; 29] = [
    "/bin",
    "/boot",
    "/dev",
    "/efi",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/lost+found",
    "/proc",
    "/root",
    "/run/systemd",
    "/run/user",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/dpkg",
    "/var/lib/machines",
    "/var/lib/portables",
    "/var/lib/private",
    "/var/lib/systemd",
    "/var/log",
    "/var/mail",
    "/var/spool",
    "/var/tmp",
];
/// Shared with others: a directory of our own in them is fine.
const SHARED: [&str; 11] =
    ["/", "/home", "/media", "/mnt", "/opt", "/run", "/srv", "/var", "/var/cache", "/var/lib", "/var/opt"];

/// Reads one; the error is a sentence.
pub(super) fn parse(text: &str) -> Result<AbsPath, String> {
    // Overlays write there, and mount options take fewer paths than disks have.
    let path = AbsPath::from(Layer::parse(foreign_path(text)?.as_str())?);
    let typed = path.as_str();
    if typed == SESSION_DATA {
        return Ok(path);
    }
    if is_in(typed, STORE) {
        return Err(format!("{path} is a part of Veneer's store: sessions need a directory of their own"));
    }
    if let Some(place) = NEVER.iter().find(|place| is_in(typed, place)) {
        return Err(format!("{place} is no place for what sessions write: they need a directory of their own"));
    }
    if SHARED.contains(&typed) {
        let inside = format!("{}/veneer-sessions", typed.trim_end_matches('/'));
        return Err(format!("{path} has what is others': sessions need a directory of their own, {inside} perhaps"));
    }
    Ok(path)
}

fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_others_are_refused_and_own_ones_are_not() {
        for own in ["/var/lib/veneer/sessions", "/srv/veneer/sessions", "/home/veneer", "/sessions", "/run/x/sessions"]
        {
            assert_eq!(parse(own).expect(own).as_str(), own);
        }
        for (foreign, said) in [
            ("/", "/ has what is others': sessions need a directory of their own, /veneer-sessions perhaps"),
            (
                "/home",
                "/home has what is others': sessions need a directory of their own, /home/veneer-sessions perhaps",
            ),
            ("/usr/local/s", "/usr is no place for what sessions write: they need a directory of their own"),
            ("/tmp", "/tmp is no place"),
            ("/var/lib/veneer", "a part of Veneer's store"),
            ("/var/lib/veneer/images", "a part of Veneer's store"),
            ("/var/lib/veneer/sessions/fast", "a part of Veneer's store"),
            ("/run/veneer/sessions", "Veneer's own"),
            ("relative", "absolute"),
        ] {
            let error = parse(foreign).expect_err(foreign);
            assert!(error.contains(said), "{foreign}: {error}");
        }
    }
}
