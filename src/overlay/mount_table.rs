//! The mounts of a namespace, as far as overlays have to know them.
//! Pure: it reads text; the later line of two at one place is the mount that is seen.
//! The format is proc_pid_mountinfo(5)'s.

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
        Self(text.lines().filter_map(line).collect())
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

fn line(line: &str) -> Option<Mount> {
    let (mount, device) = line.split_once(" - ")?;
    let mut fields = mount.split(' ');
    let id = fields.next()?.parse().ok()?;
    let root = unescape(fields.nth(2)?);
    let place = unescape(fields.next()?);
    let mut device = device.split(' ');
    let (kind, source) = (device.next()?.to_owned(), unescape(device.next()?));
    Some(Mount { id, root, place, kind, source, options: device.next().unwrap_or_default().to_owned() })
}

/// `\040` is a space.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
