//! Whether a block device holds the file system it should, found out by the kernel that will mount it.
//! It leaves no mount behind: the mount it makes is never attached anywhere.
//! Rules: fsopen(2), fsmount(2); the magic numbers are those of the kernel's headers, only to name what is there instead.

use crate::app::FileSystem;
use crate::verity::Fault;
use anyhow::{Context, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::os::unix::fs::FileExt as _;

/// How much of a device's beginning tells the file systems apart.
const HEAD: usize = 4096;

/// Reads superblock and root directory through the kernel; `image` is what messages name.
pub fn file_system(node: &str, kind: FileSystem, image: &str) -> Result<()> {
    let mut head = [0; HEAD];
    let device = std::fs::File::open(node).with_context(|| format!("opening {node} of {image}"))?;
    device.read_exact_at(&mut head, 0).map_err(|error| superblock_fault(&error, kind, image))?;
    drop(device);
    match recognize(&head) {
        Some(found) if found == kind => {}
        Some(found) => {
            let (found, wanted) = (found.name(), kind.name());
            return Err(Fault::data(format!("{image} holds {found}, not {wanted}: set image.type = {found:?}")).into());
        }
        None => return Err(Fault::data(format!("{image} holds no {} file system", kind.name())).into()),
    }
    let root = mount(node, kind, image, MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV)?;
    read_root_directory(&root)
        .map_err(|error| Fault::data(format!("root directory of {image} is damaged: {error}")).into())
}

/// The mount of a device that [`file_system`] has found good, attached nowhere yet.
pub fn open(node: &str, attributes: MountAttrFlags) -> Result<OwnedFd> {
    let mut head = [0; HEAD];
    let device = std::fs::File::open(node).with_context(|| format!("opening {node}"))?;
    device.read_exact_at(&mut head, 0).with_context(|| format!("reading {node}"))?;
    drop(device);
    let kind = recognize(&head).with_context(|| format!("{node} holds no file system that an image can have"))?;
    mount(node, kind, node, attributes)
}

fn superblock_fault(error: &std::io::Error, kind: FileSystem, image: &str) -> Fault {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            Fault::data(format!("{image} is too small to hold a file system ({})", kind.name()))
        }
        _ => Fault::data(format!("superblock of {image} is damaged: its first block does not have its hash ({error})")),
    }
}

fn recognize(head: &[u8; HEAD]) -> Option<FileSystem> {
    [
        (FileSystem::Erofs, 1024, &[0xe2, 0xe1, 0xf5, 0xe0][..]),
        (FileSystem::Squashfs, 0, b"hsqs"),
        (FileSystem::Ext4, 1024 + 56, &[0x53, 0xef]),
    ]
    .into_iter()
    .find(|(_, at, magic)| head[*at..].starts_with(magic))
    .map(|(kind, ..)| kind)
}

fn mount(node: &str, kind: FileSystem, image: &str, attributes: MountAttrFlags) -> Result<OwnedFd> {
    let context = match rustix::mount::fsopen(kind.name(), FsOpenFlags::FSOPEN_CLOEXEC) {
        Ok(context) => context,
        Err(Errno::NODEV) => {
            return Err(Fault::unavailable(format!("this kernel cannot mount {0} (module {0})", kind.name())).into());
        }
        Err(error) => return Err(error).with_context(|| format!("opening {} for {image}", kind.name())),
    };
    let created = rustix::mount::fsconfig_set_string(&context, "source", node)
        .and_then(|()| rustix::mount::fsconfig_set_flag(&context, "ro"))
        .and_then(|()| rustix::mount::fsconfig_create(&context));
    if let Err(error) = created {
        let said = kernel_says(&context).unwrap_or_else(|| error.to_string());
        return Err(Fault::data(format!("the {} file system in {image} is damaged: {said}", kind.name())).into());
    }
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .with_context(|| format!("mounting {image} to look into it"))
}

/// The last line the file system wrote for us: `e erofs: …`.
fn kernel_says(context: &OwnedFd) -> Option<String> {
    let mut last = None;
    let mut line = [0; 512];
    while let Ok(read) = rustix::io::read(context, &mut line) {
        let text = String::from_utf8_lossy(&line[..read]).trim().to_owned();
        last = text.split_once(' ').map(|(_, text)| text.to_owned());
    }
    last
}

fn read_root_directory(root: &OwnedFd) -> std::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(root, ".", flags, Mode::empty())?;
    for entry in rustix::fs::Dir::new(directory)? {
        entry?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_told_by_their_magic() {
        let mut head = [0; HEAD];
        assert_eq!(recognize(&head), None);
        head[1080..1082].copy_from_slice(&[0x53, 0xef]);
        assert_eq!(recognize(&head), Some(FileSystem::Ext4));
        head[..4].copy_from_slice(b"hsqs");
        assert_eq!(recognize(&head), Some(FileSystem::Squashfs));
    }
}
