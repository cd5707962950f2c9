//! The layers of an overlay laid over each other, name by name, as the kernel does it.
//! It opens what it shows and decides nothing; `diff` and `commit` walk with it.
//! Rules: overlayfs.rst, "whiteouts and opaque directories". Our overlays are mounted without redirects and metacopies.

use anyhow::Result;
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{self as rfs, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::BTreeMap;

/// A directory of one layer.
#[derive(Debug)]
pub struct LayerDir {
    /// The directory.
    pub fd: OwnedFd,
    /// Which layer it is of: 0 is the topmost.
    pub layer: usize,
}

/// A directory of all layers that have it, topmost first; never empty.
#[derive(Debug)]
pub struct MergedDir {
    /// The directories.
    pub layers: Vec<LayerDir>,
    /// Whether it hides what lies beneath all layers.
    pub opaque: bool,
}

/// What a name is.
#[derive(Debug)]
pub enum Node {
    /// It hides what lies beneath, and is nothing itself.
    Whiteout {
        /// Of which layer.
        layer: usize,
    },
    /// Anything but a directory.
    Other {
        /// Of which layer.
        layer: usize,
        /// What is known of it.
        stat: Stat,
    },
    /// A directory.
    Directory(MergedDir),
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const OPAQUE: &str = "trusted.overlay.opaque";

/// Opens a directory.
pub fn open(at: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    rfs::openat(at, name, DIRECTORY, Mode::empty())
}

/// What is known of a name, if it is there.
pub fn look(at: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Stat>, Errno> {
    match rfs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The names of a directory.
pub fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in rfs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// Whether this is a directory.
pub fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

impl MergedDir {
    /// The roots of layers, topmost first.
    pub fn of_roots(roots: Vec<OwnedFd>) -> Result<Self, Errno> {
        let layers = roots.into_iter().enumerate().map(|(layer, fd)| LayerDir { fd, layer }).collect();
        Ok(Self { layers, opaque: false })
    }

    /// The topmost layer's directory, which gives the merged one its owner and mode.
    pub fn top(&self) -> BorrowedFd<'_> {
        self.layers[0].fd.as_fd()
    }

    /// The directory of a layer.
    pub fn of_layer(&self, layer: usize) -> Option<BorrowedFd<'_>> {
        self.layers.iter().find(|dir| dir.layer == layer).map(|dir| dir.fd.as_fd())
    }

    /// Every name, and what it is, in order.
    pub fn entries(&self) -> Result<BTreeMap<Vec<u8>, Node>, Errno> {
        let mut found: BTreeMap<Vec<u8>, Node> = BTreeMap::new();
        for (position, directory) in self.layers.iter().enumerate() {
            for name in names(&directory.fd)? {
                if !found.contains_key(&name) {
                    let node = self.node(position, &name)?;
                    found.extend(node.map(|node| (name, node)));
                }
            }
        }
        Ok(found)
    }

    /// What a name is whose topmost layer is at this position.
    fn node(&self, position: usize, name: &[u8]) -> Result<Option<Node>, Errno> {
        let LayerDir { fd, layer } = &self.layers[position];
        // A layer that is mounted can change meanwhile.
        let Some(stat) = look(fd.as_fd(), name)? else { return Ok(None) };
        if is_whiteout(&stat) {
            return Ok(Some(Node::Whiteout { layer: *layer }));
        }
        if !is_directory(&stat) {
            return Ok(Some(Node::Other { layer: *layer, stat }));
        }
        self.directory(position, name).map(Node::Directory).map(Some)
    }

    fn directory(&self, position: usize, name: &[u8]) -> Result<MergedDir, Errno> {
        let mut merged = MergedDir { layers: Vec::new(), opaque: false };
        for LayerDir { fd, layer } in &self.layers[position..] {
            match look(fd.as_fd(), name)? {
                None => continue,
                Some(stat) if is_directory(&stat) => {}
                // What is no directory hides what lies beneath it.
                Some(_) => {
                    merged.opaque = true;
                    break;
                }
            }
            let below = open(fd.as_fd(), name)?;
            let opaque = is_opaque(&below)?;
            merged.layers.push(LayerDir { fd: below, layer: *layer });
            if opaque {
                merged.opaque = true;
                break;
            }
        }
        Ok(merged)
    }
}

fn is_opaque(directory: &OwnedFd) -> Result<bool, Errno> {
    let mut value = [0u8; 4];
    match rfs::fgetxattr(directory, OPAQUE, &mut value[..]) {
        Ok(length) => Ok(value[..length] == *b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Works for what may not be opened, too (proc(5), "/proc/pid/fd").
pub fn through_proc(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
