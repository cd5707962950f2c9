//! Mounts of this mount namespace: what is mounted below a directory, and taking it off.
//! It mounts nothing; systemd does, by its `.mount` units.
//! Rules: umount2(2).

use crate::mountinfo::entries;
use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use std::io::ErrorKind;
use std::path::Path;

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

/// Removes a directory with all that is in it, and takes off what is mounted there first; one that is not there is gone.
/// A build's storage is mounted over itself (containers-storage.conf(5), the overlay driver).
pub fn remove_all(directory: &Path) -> Result<()> {
    for place in at_or_below(&directory.to_string_lossy())? {
        take_off(&place)?;
    }
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
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
    entries(table).any(|mount| mount.options.split(',').any(|one| one == option))
}

fn select(table: &str, directory: &str) -> Vec<String> {
    let below = |path: &str| path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut found: Vec<String> = entries(table).map(|mount| mount.place).filter(|place| below(place)).collect();
    found.reverse();
    found
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
    }
}
