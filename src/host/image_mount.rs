//! Mounts an app's image for mount(8), which calls us as `mount.veneer` for `Type=veneer`.
//! It checks nothing again: `attach` has looked through superblock and root directory, and dm-verity guards the rest.
//! Why not mount(8) by itself: it turns any link to a device into `/dev/…`, and a mount whose source is below `/dev` is
//! bound to a device unit that our devices never have (systemd.mount(5), "Implicit Dependencies"); the next start
//! would wait for it. Called as mount(8), "EXTERNAL HELPERS", says.

use super::probe;
use anyhow::{Context, Result, bail};
use rustix::fs::CWD;
use rustix::mount::{MountAttrFlags, MoveMountFlags, move_mount};
use std::path::Path;

/// Mounts what `device` beside the target leads to; the source that mount(8) names is that device by another name.
pub fn run(arguments: &[String]) -> Result<()> {
    let [_source, target, options @ ..] = arguments else {
        bail!("this is called by mount(8), for the mounts of apps");
    };
    let device = Path::new(target).with_file_name("device");
    let Some(device) = device.to_str().filter(|device| device.starts_with(crate::layout::APPS)) else {
        bail!("{target} is not where an app's image is mounted");
    };
    let mut attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV;
    if options.iter().any(|option| option.split(',').any(|word| word == "nosuid")) {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOSUID;
    }
    let mount = probe::open(device, attributes)?;
    move_mount(&mount, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("mounting {device} on {target}"))
}
