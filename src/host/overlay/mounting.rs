//! Mounts of overlays, by the kernel's newer calls: made beside everything first, and put in place in one step.
//! It chooses no layer; the paths come in.
//! Rules: fsopen(2), open_tree(2), move_mount(2) with `MOVE_MOUNT_BENEATH` (Linux 6.5), umount2(2).

use crate::overlay::record::Mode;
use crate::overlay::{Guard, Guards};
use anyhow::{Context, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change,
    mount_remount, move_mount, open_tree,
};
use std::path::Path;

/// `MOVE_MOUNT_BENEATH` of linux/mount.h: the mount goes under the one that is on top.
const BENEATH: MoveMountFlags = MoveMountFlags::from_bits_retain(0x0200);

/// An overlay to be mounted.
#[derive(Clone, Debug)]
pub struct Overlay<'a> {
    /// What mountinfo calls it.
    pub source: String,
    /// Layers that are only read, topmost first.
    pub lower: &'a [String],
    /// Upper layer and scratch directory; none for a read-only overlay.
    pub upper: Option<(String, String)>,
    /// Further options, `NAME` or `NAME=VALUE`.
    pub options: Vec<String>,
    /// What the mount keeps programs from.
    pub guards: Guards,
}

/// Makes the mount of an overlay, attached nowhere yet.
pub fn overlay(overlay: &Overlay<'_>) -> Result<OwnedFd> {
    let context =
        fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).context("opening overlay (is the kernel module there?)")?;
    let created = configure(&context, overlay).and_then(|()| fsconfig_create(&context));
    if let Err(error) = created {
        let said = kernel_says(&context).unwrap_or_else(|| error.to_string());
        anyhow::bail!("making the overlay: {said}");
    }
    let access = if overlay.upper.is_some() { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_RDONLY };
    let guards = overlay.guards.iter().map(|guard| match guard {
        Guard::NoSuid => MountAttrFlags::MOUNT_ATTR_NOSUID,
        Guard::NoExec => MountAttrFlags::MOUNT_ATTR_NOEXEC,
        Guard::NoSymFollow => MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW,
    });
    let attributes = guards.fold(access | MountAttrFlags::MOUNT_ATTR_NODEV, MountAttrFlags::union);
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).context("making the mount of the overlay")
}

fn configure(context: &OwnedFd, overlay: &Overlay<'_>) -> Result<(), Errno> {
    let fd = context.as_fd();
    fsconfig_set_string(fd, "source", overlay.source.as_str())?;
    fsconfig_set_string(fd, "lowerdir", overlay.lower.join(":"))?;
    if let Some((upper, work)) = &overlay.upper {
        fsconfig_set_string(fd, "upperdir", upper.as_str())?;
        fsconfig_set_string(fd, "workdir", work.as_str())?;
    } else {
        fsconfig_set_flag(fd, "ro")?;
    }
    for option in &overlay.options {
        match option.split_once('=') {
            Some((name, value)) => fsconfig_set_string(fd, name, value)?,
            None => fsconfig_set_flag(fd, option.as_str())?,
        }
    }
    Ok(())
}

/// The last line that the file system wrote for us.
fn kernel_says(context: &OwnedFd) -> Option<String> {
    let mut last = None;
    let mut line = [0; 512];
    while let Ok(read) = rustix::io::read(context, &mut line) {
        let text = String::from_utf8_lossy(&line[..read]).trim().to_owned();
        last = text.split_once(' ').map(|(_, text)| text.to_owned());
    }
    last
}

/// A second view of what is seen at a path, attached nowhere, without what is mounted below it.
pub fn view(path: &str) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags).with_context(|| format!("opening a view of {path}"))
}

/// A new tmpfs of at most so many bytes, attached nowhere.
pub fn tmpfs(size: Option<u64>) -> Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).context("opening tmpfs")?;
    let made = || -> Result<OwnedFd, Errno> {
        fsconfig_set_string(&context, "source", "tmpfs")?;
        // Nobody comes through its root: what is in it has the modes that it is to have over a target, and is shown there.
        fsconfig_set_string(&context, "mode", "0700")?;
        if let Some(size) = size {
            fsconfig_set_string(&context, "size", size.to_string())?;
            // Names cost memory that the size does not count.
            fsconfig_set_string(&context, "nr_inodes", (size / INODE_EVERY + INODES_LEAST).to_string())?;
        }
        fsconfig_create(&context)?;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
    };
    made().context("making a tmpfs")
}

/// A file for every so many bytes, as tmpfs has it by default (tmpfs(5)), and some more for a small one.
const INODE_EVERY: u64 = 4096;
const INODES_LEAST: u64 = 1024;

/// Attaches a mount at a place, over what is there.
pub fn attach(mount: &OwnedFd, place: &str) -> Result<()> {
    move_mount(mount, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("mounting on {place}"))
}

/// Keeps mounts that are made elsewhere from appearing in this one.
pub fn make_private(place: &str) -> Result<()> {
    mount_change(place, MountPropagationFlags::PRIVATE).with_context(|| format!("making {place} private"))
}

/// What the mount that a path is seen through keeps programs from (statvfs(3), `f_flag`).
pub fn guards(path: &str) -> Result<Guards> {
    let found = rustix::fs::statvfs(path).with_context(|| format!("looking at the mount of {path}"))?;
    let has = |guard: &Guard| {
        found.f_flag.contains(match guard {
            Guard::NoSuid => StatVfsMountFlags::NOSUID,
            Guard::NoExec => StatVfsMountFlags::NOEXEC,
            Guard::NoSymFollow => NO_SYM_FOLLOW,
        })
    };
    Ok(Guard::ALL.into_iter().filter(has).collect())
}

/// `ST_NOSYMFOLLOW` of linux/statfs.h.
const NO_SYM_FOLLOW: StatVfsMountFlags = StatVfsMountFlags::from_bits_retain(0x2000);

/// Says what a mount keeps from, without touching its file system. All that is not said is taken from it (mount(2),
/// `MS_REMOUNT` with `MS_BIND`), but for what it does with times: so what it had is said as well.
pub fn restrict(place: &str, mode: Mode, guards: &Guards) -> Result<()> {
    let access = if mode == Mode::ReadOnly { MountFlags::RDONLY } else { MountFlags::empty() };
    let guards = guards.iter().map(|guard| match guard {
        Guard::NoSuid => MountFlags::NOSUID,
        Guard::NoExec => MountFlags::NOEXEC,
        Guard::NoSymFollow => MountFlags::NOSYMFOLLOW,
    });
    let flags = guards.fold(access | MountFlags::BIND | MountFlags::NODEV, MountFlags::union);
    mount_remount(place, flags, c"").with_context(|| format!("restricting the mount on {place}"))
}

/// Takes the topmost mount off a place, whoever is in it; true if there was one.
pub fn take_off(place: &str) -> Result<bool> {
    match rustix::mount::unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOENT) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("unmounting {place}")),
    }
}

/// How a mount took the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// Nobody saw anything but the old or the new one.
    InOneStep,
    /// The kernel is older than 6.5: what lies beneath showed for a moment.
    WithGap,
}

/// Puts a mount in the place of the one on top. On failure the old one is there as before.
pub fn switch(new: &OwnedFd, place: &str) -> Result<Switched> {
    match move_mount(new, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | BENEATH) {
        Ok(()) => {
            take_off(place)?;
            return Ok(Switched::InOneStep);
        }
        Err(Errno::INVAL) => {}
        Err(error) => return Err(error).with_context(|| format!("mounting beneath the overlay on {place}")),
    }
    let old = view(place)?;
    take_off(place)?;
    match attach(new, place) {
        Ok(()) => Ok(Switched::WithGap),
        Err(error) => {
            attach(&old, place).context("putting the old mount back")?;
            Err(error)
        }
    }
}

/// The number of the mount that a path is seen through (statx(2), `STATX_MNT_ID`).
pub fn mount_id(path: &Path) -> Option<u64> {
    let mask = rustix::fs::StatxFlags::MNT_ID;
    let flags = rustix::fs::AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(CWD, path, flags, mask)
        .ok()
        .filter(|stat| stat.stx_mask & mask.bits() != 0)
        .map(|stat| stat.stx_mnt_id)
}
