//! The kernel's table of mounts, a line at a time.
//! Pure; which mounts matter, and which of several at one place is meant, is for those who ask.
//! The format is proc_pid_mountinfo(5)'s.

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// Its number in this boot.
    pub id: u64,
    /// The device of its file system, `8:1`.
    pub device: &'t str,
    /// What of its file system is mounted.
    pub root: String,
    /// Where.
    pub place: String,
    /// Options of the mount, `ro,nodev`.
    pub access: &'t str,
    /// `overlay`, `ext4`, …
    pub kind: &'t str,
    /// `/dev/vda`, `tmpfs`, …
    pub source: String,
    /// Options of the file system, as the kernel writes them.
    pub options: &'t str,
}

/// All mounts in the order of the table: of two at one place the later one is seen. Lines that are none are passed over.
pub fn entries(table: &str) -> impl Iterator<Item = Entry<'_>> {
    table.lines().filter_map(entry)
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ');
    let id = fields.next()?.parse().ok()?;
    let (device, root, place, access) = (fields.nth(1)?, fields.next()?, fields.next()?, fields.next()?);
    let mut fields = file_system.split(' ');
    let (kind, source) = (fields.next()?, fields.next()?);
    let options = fields.next().unwrap_or_default();
    Some(Entry {
        id,
        device,
        root: unescape(root),
        place: unescape(place),
        access,
        kind,
        source: unescape(source),
        options,
    })
}

/// A field as it was before the kernel wrote space, tab, newline and backslash as three octal digits.
pub fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
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

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "(?s)([0-9 :/,\\\\-]|ro|é|\n){0,80}") {
            entries(&text).for_each(drop);
        }
    }

    #[test]
    fn a_line_is_its_fields_whatever_stands_between() {
        let table = "36 35 254:0 / /m ro,nodev shared:1 master:2 - erofs /dev/dm-0 ro\n\
                     no mount\n\
                     37 35 0:50 /a\\040b /mnt/\\134x rw - overlay o\\011o rw,lowerdir=/l\\040l\n\
                     38 35 0:51 / /n rw - tmpfs  rw\n";
        let found: Vec<Entry<'_>> = entries(table).collect();
        assert_eq!((found[0].id, found[0].device, found[0].access, found[0].kind), (36, "254:0", "ro,nodev", "erofs"));
        assert_eq!((found[0].source.as_str(), found[0].options), ("/dev/dm-0", "ro"));
        assert_eq!((found[1].root.as_str(), found[1].place.as_str()), ("/a b", "/mnt/\\x"));
        assert_eq!((found[1].source.as_str(), found[1].options), ("o\to", "rw,lowerdir=/l\\040l"));
        assert_eq!((found.len(), found[2].source.as_str(), found[2].options), (3, "", "rw"));
        assert_eq!(unescape("a\\0"), "a\\0");
    }
}
