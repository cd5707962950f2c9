//! Mounts of this mount namespace: what is mounted below a directory, and taking it off.
//! It mounts nothing; systemd does, by its `.mount` units.
//! Rules: proc_pid_mountinfo(5), umount2(2).

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

/// Everything mounted at or below a directory, the last mounted first: the order to take it off.
pub fn at_or_below(directory: &str) -> Result<Vec<String>> {
    let table = std::fs::read("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
    Ok(select(&String::from_utf8_lossy(&table), directory))
}

/// Whether an overlay of this namespace writes into this directory.
pub fn is_upper(directory: &str) -> Result<bool> {
    let table = std::fs::read("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
    Ok(writes_into(&String::from_utf8_lossy(&table), directory))
}

/// Takes a mount off, whoever is in it; true if there was one.
pub fn take_off(path: &str) -> Result<bool> {
    match rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOENT) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("unmounting {path}")),
    }
}

fn writes_into(table: &str, directory: &str) -> bool {
    let option = format!("upperdir={directory}");
    table
        .lines()
        .filter_map(|line| line.split(' ').next_back())
        .any(|options| options.split(',').any(|one| one == option))
}

fn select(table: &str, directory: &str) -> Vec<String> {
    let below = |path: &str| path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut found: Vec<String> =
        table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape).filter(|path| below(path)).collect();
    found.reverse();
    found
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let octal = behind.get(..3).filter(|_| *first == b'\\').and_then(octal);
        bytes.push(octal.unwrap_or(*first));
        if octal.is_some() {
            rest = &behind[3..];
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_are_found_by_component_and_last_first() {
        let table = "22 1 0:5 / / rw - x x rw\n\
            30 22 0:6 / /run/veneer/apps/a/image ro - erofs /dev/dm-0 ro\n\
            31 22 0:7 / /run/veneer/apps/a-b/image ro - erofs /dev/dm-1 ro\n\
            32 22 0:8 / /run/veneer/apps/a/root\\040x\\134 rw - overlay x rw\n";
        assert_eq!(select(table, "/run/veneer/apps/a"), ["/run/veneer/apps/a/root x\\", "/run/veneer/apps/a/image"]);
        assert!(select(table, "/run/veneer/apps/c").is_empty());
        let overlay = "9 1 0:9 / /m rw - overlay overlay rw,lowerdir=/l,upperdir=/o/a/upper,workdir=/o/a/work\n";
        assert!(writes_into(overlay, "/o/a/upper") && !writes_into(overlay, "/o/a/up"));
        assert_eq!(unescape("a\\0"), "a\\0");
    }
}
