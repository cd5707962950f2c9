//! Where a session's root is mounted, and how: the copy of a tree is bound there, an overlay has the same flags.
//! It makes no copy and decides no place. A link would do for people, but not as `RootDirectory=` of systemd 252, which
//! follows none. Rules: mount(2), "Creating a bind mount" and "Remounting an existing mount".

use crate::host::files;
use crate::session::spec::SetId;
use anyhow::{Context, Result};
use rustix::mount::{MountFlags, MountPropagationFlags};

/// The mode of the directory beneath the mount.
pub(super) const MODE: u32 = 0o755;

/// What the mount keeps programs from.
pub(super) fn flags(set_id: SetId) -> MountFlags {
    match set_id {
        SetId::Ignored => MountFlags::NODEV | MountFlags::NOSUID,
        SetId::Honoured => MountFlags::NODEV,
    }
}

/// Binds a directory there.
pub(super) fn bind(from: &str, at: &str, set_id: SetId) -> Result<()> {
    files::make_directory(at, MODE)?;
    rustix::mount::mount_bind(from, at).with_context(|| format!("binding {from} to {at}"))?;
    // What somebody mounts in the copy itself is not the session's, and must not go with it.
    rustix::mount::mount_change(at, MountPropagationFlags::PRIVATE).with_context(|| format!("setting {at} apart"))?;
    let flags = MountFlags::BIND | flags(set_id);
    rustix::mount::mount_remount(at, flags, c"").with_context(|| format!("setting the flags of {at}"))
}
