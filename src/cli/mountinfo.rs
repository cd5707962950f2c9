//! What is mounted at an app's places, from `/proc/self/mountinfo`.
//! Pure; the last mount at a place is the one that is seen.
//! The lines are read by `crate::mountinfo`.

use crate::mountinfo::{Entry, entries};
use std::collections::BTreeMap;

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `erofs`, `overlay`, …
    pub kind: String,
    /// `/dev/dm-3`, `tmpfs`, …
    pub source: String,
    /// `ro` or `rw`, as the mount is.
    pub access: &'static str,
}

/// Mounts by their place.
pub fn parse(text: &str) -> BTreeMap<String, Mount> {
    let mount = |entry: Entry<'_>| {
        let access = if entry.access.split(',').any(|option| option == "ro") { "ro" } else { "rw" };
        (entry.place, Mount { kind: entry.kind.to_owned(), source: entry.source, access })
    };
    entries(text).map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_last_mount() {
        let text = "36 35 254:0 / /run/veneer/apps/a/image ro,nodev shared:1 - erofs /dev/dm-0 ro\n\
                    37 35 0:50 / /mnt/a\\040b rw - tmpfs tmpfs rw\n\
                    38 35 0:51 / /mnt/a\\040b rw,nosuid - ext4 /dev/x\\134y rw\n";
        let mounts = parse(text);
        let image = Mount { kind: "erofs".into(), source: "/dev/dm-0".into(), access: "ro" };
        assert_eq!(mounts["/run/veneer/apps/a/image"], image);
        assert_eq!(mounts["/mnt/a b"], Mount { kind: "ext4".into(), source: "/dev/x\\y".into(), access: "rw" });
    }
}
