//! A session's root as an overlay over the app's one mounted image.
//! It decides no layer: those stand in the unit. What is written is the session's data.
//! Options are the kernel's (Documentation/filesystems/overlayfs.rst); "volatile", since a session outlives no crash.

use crate::host::{files, mark_store, overlay_dirs, trusted};
use crate::name::AppId;
use crate::path::AbsPath;
use crate::session::spec::SetId;
use crate::verity::stale;
use anyhow::{Context, Result, bail};
use rustix::mount::MountFlags;
use std::ffi::CString;

/// Where a session's root is mounted.
pub(super) const MODE: u32 = 0o755;

/// Makes sure that what is mounted for the app is what its files say now: a session is no way to run an old image on.
pub fn check_fresh(id: &AppId) -> Result<()> {
    let Some(mark) = mark_store::read(id)? else { return Ok(()) };
    // The digest of the units is the app's own business: a session has its command line from its own unit.
    match stale::find(&mark, mark.chain.as_deref(), trusted::identity_at)? {
        None => Ok(()),
        Some(stale) => {
            bail!("what is mounted for {id} is not what it should be ({stale}): stop the app and its sessions first")
        }
    }
}

/// Mounts it.
pub fn mount(lower: &[AbsPath], data: &str, at: &str, set_id: SetId) -> Result<()> {
    let data = AbsPath::parse(data).map_err(anyhow::Error::msg)?;
    overlay_dirs::prepare(&data)?;
    files::make_directory(at, MODE)?;
    let lower: Vec<String> = lower.iter().map(|layer| escaped(layer.as_str())).collect();
    let options = format!("lowerdir={},upperdir={data}/upper,workdir={data}/work,volatile", lower.join(":"));
    let options = CString::new(options).context("the layers' paths")?;
    let flags = match set_id {
        SetId::Ignored => MountFlags::NODEV | MountFlags::NOSUID,
        SetId::Honoured => MountFlags::NODEV,
    };
    let mounted = rustix::mount::mount("overlay", at, "overlay", flags, options.as_c_str());
    mounted.with_context(|| format!("mounting an overlay at {at}"))
}

/// A colon stands between layers.
fn escaped(layer: &str) -> String {
    layer.replace('\\', "\\\\").replace(':', "\\:")
}
