//! What users may see of overlays over the host: all that there are, and more of their own.
//! It changes nothing and asks nobody.
//! What is told is `io.veneer.Overlay.varlink`'s; docs/overlays.md has why ("Users").

use super::acts::{failed, own};
use super::peer::Peer;
use crate::host::overlay::diff::{Against, changes};
use crate::host::overlay::registry::Registry;
use crate::host::overlay::target;
use crate::overlay::change::By;
use crate::overlay::record::{Kind, Mode};
use crate::overlay::units::mount_source;
use crate::overlay::{OverlayName, OverlayPaths};
use crate::request::Denial;
use crate::request::call::Compared;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// All overlays. What is mounted where is no secret; what is in it, the files' permissions say.
pub(super) fn list() -> Result<Value, Denial> {
    let registry = Registry::read().map_err(failed)?;
    let table = target::mounts().map_err(failed)?;
    let overlays: Vec<Value> = registry
        .iter()
        .map(|record| {
            let top = table.top(record.target.as_str());
            let is_up = top.is_some_and(|top| top.source == mount_source(&record.name) || top.kind != "overlay");
            json!({
                "name": record.name.as_str(),
                "target": record.target.as_str(),
                "owner": record.owner,
                "access": if record.mode == Mode::Writable { "writable" } else { "readOnly" },
                "lifetime": record.lifetime.name(),
                "size": (record.mode == Mode::Writable).then_some(record.size),
                "state": if is_up { "mounted" } else { "not mounted" },
            })
        })
        .collect();
    Ok(json!({ "overlays": overlays }))
}

/// What a user's own overlay changes. What others have written, and what lies beneath, is told where everybody could look
/// it up.
pub(super) fn diff(peer: &Peer, name: &OverlayName, compared: Compared) -> Result<Value, Denial> {
    let record = own(peer, name, &Registry::read().map_err(failed)?)?;
    let against = match compared {
        Compared::Everything => Against::Base,
        Compared::Written => Against::Source,
    };
    let mut found = changes(&record, against).map_err(failed)?;
    let target = Path::new(record.target.as_str());
    if record.kind == Kind::Directory {
        let base = OverlayPaths::new(name, record.lifetime).base();
        found.retain(|change| change.by != By::Written || is_open(target, &change.path));
        for change in found.iter_mut().filter(|change| !is_open(Path::new(&base), &change.path)) {
            change.conceal();
        }
    }
    Ok(json!({ "target": record.target.as_str(), "changes": found }))
}

/// The versions of a user's own overlay.
pub(super) fn history(peer: &Peer, name: &OverlayName) -> Result<Value, Denial> {
    let record = own(peer, name, &Registry::read().map_err(failed)?)?;
    let versions: Vec<Value> = record
        .versions
        .iter()
        .map(|version| {
            json!({
                "version": version.number,
                "inUse": version.number == record.current,
                "by": version.by.name(),
                "made": version.made,
                "source": version.source.bytes,
                "size": record.room(version),
            })
        })
        .collect();
    Ok(json!({ "versions": versions }))
}

/// Whether everybody may look into all directories that a path below a target, or what lies beneath it, is in.
fn is_open(target: &Path, path: &str) -> bool {
    let whole = target.join(path);
    let directories = whole.ancestors().skip(1).take_while(|directory| directory.starts_with(target));
    directories.into_iter().all(|directory| {
        let mode = std::fs::symlink_metadata(directory).map(|found| found.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o005 == 0o005)
    })
}
