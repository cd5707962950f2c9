//! Images of overlays behind loop devices: the writable side of a persistent overlay, and sources that are images.
//! It checks no image: whoever hands one over has.
//! A device goes when its last mount goes (loop(4), autoclear); what is written waits in the page cache like any file's.

use crate::host::loop_device::{Access, Lifetime, LoopDevice, Reading};
use crate::image::ext4::{Journal, Options, Size, Writer, journal_bytes};
use crate::image::identity::Seed;
use crate::image::tree::{Directory, Meta, Mode, Time, TreeWriter as _};
use anyhow::{Context, Result};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{FallocateFlags, FlockOperation, flock};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;

/// The label of our devices, which `losetup` shows.
const LABEL: &str = "veneer-overlay";
/// What the file system's own tables need beside what is written: room is promised for files.
const TABLES: u64 = 4 << 20;
/// Of one fiftieth of it, and of this at most, ext4 says that it is free and gives it to nobody (its `reserved_clusters`).
const KEPT_BACK: u64 = 16 << 20;

/// Makes a file with an empty ext4 file system that has its room already, and a journal: nobody checks it after a crash.
pub fn make_empty(path: &str, size: u64) -> Result<()> {
    let act = || format!("making {path}");
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path).with_context(act)?;
    let size = with_tables(size).next_multiple_of(4096);
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
        // A file system that cannot keep room free gives it when it is needed.
        Ok(()) | Err(Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error).with_context(act),
    }
    let mut seed = [0; 32];
    rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty()).context("drawing a number")?;
    let options =
        Options { seed: Seed(seed), size: Size::Bytes(size), journal: Journal::Always, epoch: Time::default() };
    let writer = Writer::new(file.try_clone().with_context(act)?, options).with_context(act)?;
    let meta = Meta { mode: Mode(0o755), ..Meta::default() };
    writer.finish(&Directory { meta, ..Directory::default() }).with_context(act)?;
    file.sync_all().with_context(act)
}

/// The size of a file system that has so much room for files.
fn with_tables(room: u64) -> u64 {
    let without_journal = room + TABLES + room / 64 + (room / 50).min(KEPT_BACK);
    // With its journal it may be one of those that have a larger one.
    without_journal + journal_bytes(without_journal + journal_bytes(without_journal))
}

/// The file system of an image, mounted nowhere yet.
pub fn mount(path: &str, kind: &str, access: Access) -> Result<OwnedFd> {
    let act = || format!("mounting {path}");
    let file = OpenOptions::new().read(true).write(access == Access::Write).open(path).with_context(act)?;
    mount_file(&file, kind, access).with_context(act)
}

/// The same of an image that is open.
pub fn mount_file(file: &File, kind: &str, access: Access) -> Result<OwnedFd> {
    if access == Access::Read {
        return mount_open(file, kind, access);
    }
    // Nobody else looks for a device of this image, or makes one, until ours is there: two would be two file systems over
    // the same bytes. The device keeps the file open, so the lock is given back, not left to go with it.
    flock(file, FlockOperation::LockExclusive).context("locking the image")?;
    let mounted = mount_open(file, kind, access);
    flock(file, FlockOperation::Unlock).context("unlocking the image")?;
    mounted
}

fn mount_open(file: &File, kind: &str, access: Access) -> Result<OwnedFd> {
    let reading = if access == Access::Write { Reading::Cached } else { Reading::Direct };
    // Who still runs in a version that was taken off holds its file system: that is the one to have, not a second beside it.
    let held = if access == Access::Write { LoopDevice::of_file(file.as_fd(), LABEL)? } else { None };
    let device = match held {
        Some(device) => device,
        None => LoopDevice::attach_as(file.as_fd(), LABEL, access, Lifetime::WhileHeld, reading)?,
    };
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).with_context(|| format!("opening {kind}"))?;
    let made = || -> Result<OwnedFd, Errno> {
        fsconfig_set_string(&context, "source", device.node())?;
        let mut flags = MountAttrFlags::MOUNT_ATTR_NODEV;
        if access == Access::Read {
            fsconfig_set_flag(&context, "ro")?;
            flags |= MountAttrFlags::MOUNT_ATTR_RDONLY;
        }
        fsconfig_create(&context)?;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)
    };
    made().with_context(|| format!("mounting {} as {kind}", device.node()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn said(program: &str, words: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(words).output().expect("e2fsprogs");
        assert!(output.status.success(), "{program} {words:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn the_writable_side_has_a_journal_and_the_room_that_was_asked_for() {
        let dir = tempfile::tempdir().expect("temporary directory");
        for mib in [1, 8, 28, 126, 260] {
            let path = format!("{}/{mib}", dir.path().display());
            make_empty(&path, mib << 20).expect("made");
            said("e2fsck", &["-fn", &path]);
            let shown = said("dumpe2fs", &["-h", &path]);
            assert!(shown.contains("has_journal"), "{mib} MiB: {shown}");
            let number = |name: &str| -> u64 {
                let line = shown.lines().find_map(|line| line.strip_prefix(name)).expect("a line of it");
                line.trim().parse().expect("a number")
            };
            let kept_back = (number("Block count:") / 50).min(KEPT_BACK / 4096);
            assert!((number("Free blocks:") - kept_back) * 4096 >= mib << 20, "{mib} MiB: {shown}");
        }
    }
}
