//! What is mounted at an app's places, from `/proc/self/mountinfo`.
//! Pure; the last mount at a place is the one that is seen.
//! The format is proc(5)'s (proc_pid_mountinfo(5)); only octal escapes are undone.

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
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<(String, Mount)> {
    let (mount, device) = line.split_once(" - ")?;
    let place = unescape(mount.split(' ').nth(4)?);
    let options = mount.split(' ').nth(5)?;
    let mut device = device.split(' ');
    let (kind, source) = (device.next()?.to_owned(), unescape(device.next()?));
    let access = if options.split(',').any(|option| option == "ro") { "ro" } else { "rw" };
    Some((place, Mount { kind, source, access }))
}

/// `\040` is a space.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()).filter(|_| *first == b'\\') {
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
            drop(parse(&text));
        }
    }

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
