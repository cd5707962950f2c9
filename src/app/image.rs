//! What an app's root file system is made of, and how far it must be trusted (`[image]`, `[inject]`, `[pull]`).
//! It opens nothing: whether an image is there is found when the app is started.
//! The keys are those of veneer.app(5).

use crate::convert::Form;
use crate::inject::Injection;
use crate::merge::Boot;
use crate::origin::Origin;
use crate::path::AbsPath;
use crate::root_hash::RootHash;

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
    /// Made of a container image when the app is started, and kept in the store.
    Made(Box<Making>),
}

/// How an app's image is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Making {
    /// The link in the store that leads to the version in use.
    pub current: AbsPath,
    /// What it is made from.
    pub origin: Origin,
    /// As what file system (`type`, `size`).
    pub form: Form,
    /// Whether a virtual machine is to start from it (`bootable`).
    pub boot: Boot,
    /// What is put into it (`[inject]`).
    pub injected: Vec<Injection<AbsPath>>,
    /// How many versions stay (`store.keep`).
    pub keep: u32,
    /// How it is fetched.
    pub pull: Pull,
}

/// Files that say how images are fetched (`[pull]`); each has a place of its own if it is not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pull {
    /// Who we are at registries.
    pub auth_file: Option<AbsPath>,
    /// Which images are taken (containers-policy.json(5)).
    pub policy: Option<AbsPath>,
    /// Which registries there are, and how they are reached (containers-registries.conf(5)).
    pub registries: Option<AbsPath>,
    /// Certificates of registries, a directory for each (containers-certs.d(5)).
    pub certificates: Option<AbsPath>,
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
