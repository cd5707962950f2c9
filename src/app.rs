//! An app, checked: whatever can be built here can be turned into units.
//! It holds nothing of how it was typed (that is `config`) and nothing of units (that is `plan`).
//! The tables and keys are those of veneer.app(5).

use crate::name::{AppId, UserName};
use crate::path::AbsPath;
use crate::root_hash::RootHash;
use crate::size::Size;
use crate::unit::{Arg, Directive, EnvVar, Text};

/// One app, ready to be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Its own file, the one `SourcePath=` names.
    pub source: AbsPath,
    /// What a person calls it.
    pub description: Option<Text>,
    /// Whether the boot starts it.
    pub autostart: Autostart,
    /// What its root file system is made of.
    pub image: Image,
    /// Whether the skeleton of mount points lies under the image.
    pub skeleton: Skeleton,
    /// What lies over the image.
    pub overlay: Overlay,
    /// What runs in it.
    pub service: Service,
    /// Its sessions, if it asks for any.
    pub sessions: Option<Sessions>,
}

/// Whether the boot starts an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autostart {
    /// Started with multi-user.target (or its socket, or its timer, if it has them).
    Yes,
    /// Started by hand, or by `systemctl enable`.
    No,
}

/// Whether the shipped layer of mount points lies under the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skeleton {
    /// The root is an overlay with the skeleton at the bottom.
    Under,
    /// The image has every mount point itself.
    Without,
}

/// Where the root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// A plain directory, bound read-only.
    Directory(AbsPath),
    /// An image file.
    File(ImageFile),
}

/// An image file and how far it must be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// Where to find it.
    pub place: ImagePlace,
    /// Its file system.
    pub kind: FileSystem,
    /// What it must show before it is mounted.
    pub trust: Trust,
    /// How much of it is read before the start.
    pub verify: Verify,
    /// A directory used only when there is no image file at all.
    pub fallback: Option<AbsPath>,
}

/// Where an image file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImagePlace {
    /// At this path.
    At(AbsPath),
    /// `NAME.raw` or `NAME.app.img` in the first of these directories that has one.
    Named {
        /// The name, without its ending: a clean file name.
        name: Box<str>,
        /// The store roots, in order.
        roots: Vec<AbsPath>,
    },
}

/// The file system in an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileSystem {
    /// EROFS, what our converter writes.
    #[default]
    Erofs,
    /// squashfs.
    Squashfs,
    /// ext4, mounted read-only.
    Ext4,
}

impl FileSystem {
    /// Every name, in the order they are offered.
    pub const NAMES: [&str; 3] = ["erofs", "squashfs", "ext4"];

    /// The kernel's name for it, which is ours too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Squashfs => "squashfs",
            Self::Ext4 => "ext4",
        }
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Erofs, Self::Squashfs, Self::Ext4].into_iter().find(|kind| kind.name() == name)
    }
}

/// What an image must show before it is mounted (`image.require`), from weakest to strongest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing: the image file as it is.
    Nothing,
    /// A hash tree that fits its root hash, taken from the side file: integrity, no authenticity.
    Verity,
    /// A hash tree that fits this root hash.
    Pinned(RootHash),
    /// A root hash (this one, if given) with a signature by a certificate in `verity.d`.
    Signed(Option<RootHash>),
}

impl Trust {
    /// Every name, weakest first.
    pub const NAMES: [&str; 4] = ["none", "verity", "pinned", "signed"];

    /// The name in `image.require`.
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.rank()]
    }

    /// How strong it is, for comparing with the least that the host asks for.
    pub fn rank(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Verity => 1,
            Self::Pinned(_) => 2,
            Self::Signed(_) => 3,
        }
    }

    /// The root hash that the configuration gives.
    pub fn root_hash(&self) -> Option<&RootHash> {
        match self {
            Self::Pinned(hash) => Some(hash),
            Self::Signed(hash) => hash.as_ref(),
            Self::Nothing | Self::Verity => None,
        }
    }
}

/// How much of an image is read before the start (`image.verify`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// The whole hash tree, the superblock and the root directory.
    #[default]
    Tree,
    /// Every block.
    Full,
}

impl Verify {
    /// Every name.
    pub const NAMES: [&str; 2] = ["tree", "full"];

    /// The name in `image.verify`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Full => "full",
        }
    }
}

/// What lies over the image (`[overlay]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// Where writes go.
    pub mode: OverlayMode,
    /// Read-only layers over the image, topmost first.
    pub layers: Vec<AbsPath>,
    /// Directories given to the app's user in the upper layer; empty unless there is one.
    pub writable: Vec<AbsPath>,
}

/// Where writes to an app's root go (`overlay.mode`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OverlayMode {
    /// Nowhere: the root is read-only.
    #[default]
    None,
    /// To a tmpfs that lives as long as the chain of mounts.
    Volatile {
        /// Its limit; the kernel's own (half the memory) if not given.
        size: Option<Size>,
    },
    /// To the app's directory in `/var/lib/veneer/overlays`.
    Persistent,
}

/// What runs (`[service]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `Type=`.
    pub kind: ServiceType,
    /// Program and arguments; the program is an absolute path in the image.
    pub exec: Vec<Arg>,
    /// Who runs it.
    pub user: User,
    /// Its environment, sorted by name.
    pub environment: Vec<EnvVar>,
    /// Its sandbox.
    pub profile: Profile,
    /// Whether it has a state directory, `/var/lib/ID` inside.
    pub state: State,
    /// What of the host it sees.
    pub binds: Vec<Bind>,
    /// Its credentials: name and file on the host.
    pub credentials: Vec<Credential>,
    /// What its socket listens on; no socket if empty.
    pub listen: Vec<Listen>,
    /// When its timer starts it; no timer if empty (systemd.time(7)).
    pub schedule: Vec<Text>,
    /// Apps it starts after.
    pub after: Vec<AppId>,
    /// Apps it needs, and starts after.
    pub requires: Vec<AppId>,
    /// Everything else for `[Service]`, in the order written.
    pub directives: Vec<Directive>,
}

/// `Type=` of an app's service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceType {
    /// Started when its program has been executed.
    #[default]
    Exec,
    /// Started when it says READY=1.
    Notify,
    /// Runs to its end.
    Oneshot,
}

impl ServiceType {
    /// Every name.
    pub const NAMES: [&str; 3] = ["exec", "notify", "oneshot"];

    /// systemd's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Notify => "notify",
            Self::Oneshot => "oneshot",
        }
    }
}

/// Who runs an app (`service.user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// A dynamic user of the app's own.
    Dynamic,
    /// A user of the host, by name.
    Named(UserName),
}

/// Whether an app has a state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `StateDirectory=ID`.
    Kept,
    /// None.
    None,
}

/// A sandbox profile (`service.profile`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// As tight as a network service can be; part of `app@.service` itself.
    #[default]
    Strict,
    /// As portable services' `default`.
    Default,
    /// `default` without a network.
    Nonetwork,
    /// Nearly none.
    Trusted,
}

impl Profile {
    /// Every name.
    pub const NAMES: [&str; 4] = ["strict", "default", "nonetwork", "trusted"];

    /// The name of its file in `/usr/lib/veneer/profiles`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Default => "default",
            Self::Nonetwork => "nonetwork",
            Self::Trusted => "trusted",
        }
    }
}

/// A path of the host seen in an app's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// On the host.
    pub source: AbsPath,
    /// In the app's root.
    pub target: AbsPath,
    /// Whether the app may write there.
    pub access: Access,
    /// What happens if the source is missing.
    pub missing: Missing,
}

/// Whether something may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only read.
    ReadOnly,
    /// Read and written.
    ReadWrite,
}

/// What a missing source of a bind means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The app does not start.
    Fails,
    /// The bind is left out.
    Ignored,
}

/// A credential (systemd.exec(5), `LoadCredential=`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name: a clean file name without `:`.
    pub name: Box<str>,
    /// The file on the host.
    pub file: AbsPath,
}

/// What a socket listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `ListenStream=`: a port, `ADDRESS:PORT`, `[V6]:PORT`, an absolute path or `@abstract`.
    Stream(Text),
    /// `ListenDatagram=`, written `udp:…` or `dgram:…`.
    Datagram(Text),
}

/// What sessions of an app are (`[session]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// What a session is a copy of.
    pub kind: SessionKind,
    /// Whether its data is shared with the original until it is written.
    pub reflink: Reflink,
    /// The size of an image's copy, if it is to be larger than the image.
    pub resize: Option<Size>,
    /// Where the host keeps what sessions write.
    pub directory: AbsPath,
    /// How many there may be.
    pub limits: Limits,
}

/// What a session is (`session.kind`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionKind {
    /// The cheapest that the app's image and the host's file system can.
    #[default]
    Auto,
    /// A copy of the image file.
    Image,
    /// A copy of all files.
    Tree,
    /// An overlay over the app's one mounted image.
    Overlay,
}

impl SessionKind {
    /// Every name, in the order they are offered.
    pub const NAMES: [&str; 4] = ["auto", "image", "tree", "overlay"];
    const ALL: [Self; 4] = [Self::Auto, Self::Image, Self::Tree, Self::Overlay];

    /// The name in `session.kind`.
    pub fn name(self) -> &'static str {
        Self::NAMES[Self::ALL.iter().position(|kind| *kind == self).unwrap_or_default()]
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Whether a copy shares its data with the original (`session.reflink`), as in cp(1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reflink {
    /// Where the file system can.
    #[default]
    Auto,
    /// Yes; where the file system cannot, there is no session.
    Always,
    /// No: all data is written again.
    Never,
}

impl Reflink {
    /// Every name, in the order they are offered.
    pub const NAMES: [&str; 3] = ["auto", "always", "never"];
    const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The name in `session.reflink`.
    pub fn name(self) -> &'static str {
        Self::NAMES[Self::ALL.iter().position(|reflink| *reflink == self).unwrap_or_default()]
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reflink| reflink.name() == name)
    }
}

/// How many sessions there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one app.
    pub per_app: u32,
    /// Of all apps together.
    pub in_all: u32,
}

/// Settings of the host (`veneer.toml`), with what holds if it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[store] roots`: where images named without a path are searched.
    pub roots: Vec<AbsPath>,
    /// `[policy] require`: the least that every image must show, as a rank of [`Trust`].
    pub least_trust: usize,
    /// `[session] directory`: where sessions keep what they write.
    pub sessions: AbsPath,
    /// `[session] limit-per-app` and `limit`.
    pub session_limits: Limits,
    /// `[prune]`: what becomes of images that nothing refers to.
    pub prune: crate::store::prune::Policy,
}
