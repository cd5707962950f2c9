//! The mounts of a namespace, as far as overlays have to know them.
//! Pure: it reads text; the later line of two at one place is the mount that is seen.
//! The lines are read by `crate::mountinfo`.

use crate::mountinfo::{Entry, entries};

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number in this boot.
    pub id: u64,
    /// What of its file system is mounted.
    pub root: String,
    /// Where.
    pub place: String,
    /// `overlay`, `ext4`, …
    pub kind: String,
    /// `/dev/vda`, `veneer-site`, …
    pub source: String,
    /// Options of the file system.
    pub options: String,
}

/// All mounts, in the order of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountTable(Vec<Mount>);

impl MountTable {
    /// Reads `/proc/PID/mountinfo`; lines that are none are passed over.
    pub fn parse(text: &str) -> Self {
        let mount = |entry: Entry<'_>| {
            let Entry { id, root, place, source, .. } = entry;
            Mount { id, root, place, kind: entry.kind.to_owned(), source, options: entry.options.to_owned() }
        };
        Self(entries(text).map(mount).collect())
    }

    /// The mount that is seen at a place, if the place is one.
    pub fn top(&self, place: &str) -> Option<&Mount> {
        self.0.iter().rev().find(|mount| mount.place == place)
    }

    /// The places of mounts below a place, each once.
    pub fn below(&self, place: &str) -> Vec<&str> {
        let below = |mount: &&Mount| mount.place.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'));
        let mut places: Vec<&str> = self.0.iter().filter(below).map(|mount| mount.place.as_str()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Everything at or below a place, the last mounted first: the order to take it off.
    pub fn at_or_below(&self, place: &str) -> Vec<&Mount> {
        let inside = |mount: &&Mount| {
            mount.place.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.iter().filter(inside).rev().collect()
    }

    /// All mounts.
    pub fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mount_is_seen_and_those_below_are_found_by_component() {
        let table = MountTable::parse(
            "22 1 0:5 / / rw shared:1 - ext4 /dev/vda rw\n\
             30 22 0:6 / /opt/a rw - overlay veneer-a rw,lowerdir=/x\n\
             31 30 0:7 /sub /opt/a rw - overlay veneer-a rw\n\
             32 31 0:8 / /opt/a/b\\040c ro - tmpfs tmpfs rw\n\
             33 22 0:9 / /opt/ab rw - tmpfs tmpfs rw\n\
             no mount\n",
        );
        assert_eq!(table.top("/opt/a").map(|mount| (mount.id, mount.root.as_str())), Some((31, "/sub")));
        assert_eq!(table.below("/opt/a"), ["/opt/a/b c"]);
        let ids: Vec<u64> = table.at_or_below("/opt/a").iter().map(|mount| mount.id).collect();
        assert_eq!(ids, [32, 31, 30]);
    }
}
