//! Every path of ours, in one place.
//! Nothing here looks at a disk or joins a `--root`: that is `host`'s.
//! The directories of systemd and of the installation come from meson, by the environment of the build.

use crate::name::AppId;
use crate::path::AbsPath;

/// Directories of configuration, the strongest last.
pub const CONFIG_DIRS: [&str; 4] = ["/usr/lib/veneer", "/usr/local/lib/veneer", "/run/veneer", "/etc/veneer"];
/// Where the chain of a running app lives, a directory per app.
pub const APPS: &str = "/run/veneer/apps";
/// What is up, a file per app: written by `veneer-verity`, read by the generator.
pub const LIVE: &str = "/run/veneer/live";
/// Persistent upper layers, a directory per app.
pub const OVERLAYS: &str = "/var/lib/veneer/overlays";
/// What other units rely on of a session, a directory per app and one per session in it.
pub const SESSIONS: &str = "/run/veneer/sessions";
/// What sessions write, unless `veneer.toml` says otherwise; laid out in the same way.
pub const SESSION_DATA: &str = "/var/lib/veneer/sessions";
/// That an image was read as a whole and is what its root hash says, a file per app.
pub const VERIFIED: &str = "/run/veneer/verified";
/// Records and data of persistent overlays over the host, a directory per overlay; apps' data is not in here.
pub const HOST_OVERLAYS: &str = "/var/lib/veneer/host-overlays";
/// Transient overlays over the host, and the mounts of all of them.
pub const HOST_OVERLAYS_LIVE: &str = "/run/veneer/overlays";
/// Where units of one boot are put that no generator writes (systemd.unit(5), "Unit File Load Path").
pub const RUNTIME_UNITS: &str = "/run/systemd/system";
/// The store: everything below it is described in docs/store.md.
pub const STORE: &str = "/var/lib/veneer";
/// The store's images, each with the files beside it.
pub const IMAGES: &str = "/var/lib/veneer/images";
/// Blobs of container images, by their digest, shared by all that were pulled.
pub const BLOBS: &str = "/var/lib/veneer/blobs/sha256";
/// What references were resolved to, a record for each.
pub const RECORDS: &str = "/var/lib/veneer/refs";
/// The versions of apps with `oci =`, a directory per app: links to images, and `current`.
pub const VERSIONS: &str = "/var/lib/veneer/apps";
/// What is known of apps' versions besides their images, a file per app.
pub const HISTORIES: &str = "/var/lib/veneer/updates";
/// What the admin wants kept, a file per image.
pub const PINS: &str = "/var/lib/veneer/pins";
/// What has been taken out of the store and is about to be deleted.
pub const TRASH: &str = "/var/lib/veneer/trash";
/// How far the reading of each image has come.
pub const SCRUB: &str = "/var/lib/veneer/scrub";
/// Locked by everybody who uses the store, see `host::store::lock`.
pub const STORE_LOCK: &str = "/var/lib/veneer/lock";
/// Where copies of users' sources are made before they are checked, a directory per user.
pub const REQUESTS: &str = "/var/lib/veneer/requests";
/// Locks of users' requests.
pub const REQUESTS_LIVE: &str = "/run/veneer/requests";
/// Where users ask for overlays; named as the interface, as systemd names its own sockets.
pub const REQUEST_SOCKET: &str = "/run/veneer/io.veneer.Overlay";
/// Where images named without a path are searched unless `veneer.toml` says otherwise.
pub const STORE_ROOTS: [&str; 2] = [IMAGES, "/usr/lib/veneer/images"];
/// The layer of empty mount points.
pub const SKELETON: &str = "/usr/lib/veneer/skeleton";
/// Sandbox profiles that are not the default.
pub const PROFILES: &str = "/usr/lib/veneer/profiles";
/// Certificates that sign images, as systemd has them (systemd.exec(5), `RootHashSignature=`), the strongest first.
pub const VERITY_CERTIFICATES: [&str; 4] =
    ["/etc/verity.d", "/run/verity.d", "/usr/local/lib/verity.d", "/usr/lib/verity.d"];
/// Where our oneshots are installed.
pub const LIBEXEC: &str = match option_env!("VENEER_LIBEXECDIR") {
    Some(dir) => dir,
    None => "/usr/libexec/veneer",
};
/// Where systemd has generators put the units of running systems (systemd.generator(7), "normal-dir").
pub const GENERATOR_DIR: &str = "/run/systemd/generator";
/// Where our static units are installed.
pub const SYSTEM_UNITS: &str = match option_env!("VENEER_SYSTEM_UNIT_DIR") {
    Some(dir) => dir,
    None => "/usr/lib/systemd/system",
};

/// The paths of one app's chain, below `/run/veneer/apps/ID`.
#[derive(Clone, Debug)]
pub struct AppPaths {
    /// The directory itself.
    pub dir: String,
    id: AppId,
}

impl AppPaths {
    /// The paths of this app.
    pub fn new(id: &AppId) -> Self {
        Self { dir: format!("{APPS}/{id}"), id: id.clone() }
    }

    /// A link to the block device (`/dev/dm-N`, `/dev/loopN`); absent when the fallback serves.
    pub fn device(&self) -> String {
        format!("{}/device", self.dir)
    }

    /// Where the image is mounted.
    pub fn image(&self) -> String {
        format!("{}/image", self.dir)
    }

    /// A link to `image` or to the fallback directory; only for apps with a fallback.
    pub fn tree(&self) -> String {
        format!("{}/tree", self.dir)
    }

    /// Empty mount points that the app needs and its image may lack: a layer below the image.
    pub fn points(&self) -> String {
        format!("{}/points", self.dir)
    }

    /// The tmpfs of a volatile overlay.
    pub fn rw(&self) -> String {
        format!("{}/rw", self.dir)
    }

    /// The app's root.
    pub fn root(&self) -> String {
        format!("{}/root", self.dir)
    }

    /// The link that leads to the image in use, of an app whose image is made from a container image.
    pub fn current(&self) -> String {
        format!("{VERSIONS}/{}/current", self.id)
    }

    /// The persistent upper layer's directory.
    pub fn overlay(&self) -> String {
        format!("{OVERLAYS}/{}", self.id)
    }

    /// The mark that this app's chain is up, with the units it was set up from.
    pub fn live(&self) -> String {
        format!("{LIVE}/{}", self.id)
    }
}

/// A constant of this file as a path; they are all clean.
pub fn path(constant: &str) -> AbsPath {
    AbsPath::parse(constant).unwrap_or_else(|_| unreachable!("{constant} is a clean path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_of_the_store_is_made_by_tmpfiles_which_labels_it_where_selinux_is() {
        let conf = include_str!("../tmpfiles.d/veneer.conf");
        for place in [STORE, IMAGES, BLOBS, RECORDS, VERSIONS, HISTORIES, PINS, TRASH, SCRUB] {
            assert!(conf.contains(&format!("\nd {place} 0")), "{place}");
        }
    }
}
