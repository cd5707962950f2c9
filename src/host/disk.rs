//! A disk image written from an image, its hash tree and, if there is one, its signature.
//! It lays nothing out: `image::disk` does; and it believes no root hash: what it wrote is read back against it.
//! Rules: open(2) `O_TMPFILE`, linkat(2), rename(2): the disk is whole under its name, or what was there before is.

use super::image_files::ImageData;
use super::image_look::Look;
use super::notify::Progress;
use crate::image::disk::{Contents, Disk, lay_out};
use crate::image::identity::Seed;
use crate::image::partition::{Machine, Partition};
use crate::image::signature_partition::{fingerprint, signature_json};
use crate::root_hash::RootHash;
use crate::verity::superblock::SUPERBLOCK_SIZE;
use crate::verity::tree::{ReadAt, Tree, check_all};
use crate::verity::{Fault, Superblock};
use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A signature is a few kilobytes.
const SIGNATURE_MAX: u64 = 1 << 20;
/// Bytes copied at once.
const COPIED: usize = 1 << 20;

/// What goes into a disk, open.
pub struct Parts {
    image: ImageData,
    tree: ImageData,
    root: RootHash,
    signature: Option<Vec<u8>>,
}

impl Parts {
    /// Of an image with what stands beside it; a signature needs the certificate it was made with, in PEM.
    pub fn of(look: Look, certificate: Option<&Path>) -> Result<Self> {
        let missing = |what: &str| Fault::no_input(format!("{} has no {what} beside it", look.image.path()));
        let root = look.root.ok_or_else(|| missing("root hash"))?;
        let tree = look.tree.ok_or_else(|| missing("hash tree"))?;
        let signature = match (look.signature, certificate) {
            (Some(signature), Some(path)) => {
                let pem = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
                let none = || Fault::data(format!("{} is no certificate in PEM", path.display()));
                let signer = fingerprint(&pem).ok_or_else(none)?;
                Some(signature_json(&root, &signer, &signature.read_all(SIGNATURE_MAX)?))
            }
            (None, Some(_)) => return Err(missing("signature").into()),
            (Some(_), None) => {
                return Err(Fault::no_input(format!(
                    "{} is signed: --certificate= has to say with which, for the disk says so too",
                    look.image.path()
                ))
                .into());
            }
            (None, None) => None,
        };
        Ok(Self { image: look.image, tree, root, signature })
    }

    /// How the disk will look.
    pub fn lay_out(&self, machine: Machine) -> Disk {
        lay_out(&Contents {
            image: self.image.size(),
            tree: self.tree.size(),
            signature: self.signature.as_ref().map(|bytes| bytes.len() as u64),
            root: &self.root,
            machine,
            seed: Seed(self.root.to_bytes().try_into().unwrap_or_default()),
        })
    }

    /// Writes the disk, reads it back, and gives it its name; its size.
    pub fn write(&self, machine: Machine, to: &Path) -> Result<u64> {
        let disk = self.lay_out(machine);
        let act = || format!("writing {}", to.display());
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(directory, flags, Mode::from_raw_mode(0o644)).with_context(act)?);
        self.fill(&file, &disk).with_context(act)?;
        self.read_back(&file, &disk, to)?;
        name(&file, directory, to).with_context(act)?;
        Ok(disk.size)
    }

    fn fill(&self, file: &File, disk: &Disk) -> io::Result<()> {
        file.set_len(disk.size)?;
        file.write_all_at(&disk.head, 0)?;
        file.write_all_at(&disk.tail.1, disk.tail.0)?;
        for (partition, at) in &disk.partitions {
            match (partition, &self.signature) {
                (Partition::Root, _) => copy(&self.image, file, *at)?,
                (Partition::Tree, _) => copy(&self.tree, file, *at)?,
                (Partition::Signature, Some(json)) => file.write_all_at(json, *at)?,
                (Partition::Signature, None) => {}
            }
        }
        file.sync_all()
    }

    fn read_back(&self, file: &File, disk: &Disk, to: &Path) -> Result<()> {
        // Advice: where it is not taken, memory is checked.
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
        let place = |wanted: Partition| disk.partitions.iter().find(|(partition, _)| *partition == wanted);
        let part = |wanted| Part { file, at: place(wanted).map_or(0, |(_, at)| *at) };
        let (image, tree) = (part(Partition::Root), part(Partition::Tree));
        let different = |said: String| Fault::data(format!("{} is not what its root hash says: {said}", to.display()));
        let mut head = [0; SUPERBLOCK_SIZE];
        tree.read_at(&mut head, 0).with_context(|| format!("reading {} back", to.display()))?;
        let sb = Superblock::parse(&head).map_err(|said| different(said.to_string()))?;
        let root = self.root.to_bytes();
        let open = Tree::open(&tree, &sb, &root).map_err(|fault| different(format!("{fault:?}")))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut progress = Progress::begin(format!("reading {} back", to.display()), open.leaves());
        let checked = check_all(&open, &image, threads, |done| progress.reached(done));
        checked.map_err(|fault| different(format!("{fault:?}")).into())
    }
}

/// A part of a file, read by itself.
struct Part<'a> {
    file: &'a File,
    at: u64,
}

impl ReadAt for Part<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, self.at + offset)
    }
}

/// Copies a file to a place of another; blocks of zeros become holes.
fn copy(from: &ImageData, to: &File, at: u64) -> io::Result<()> {
    let (mut buffer, mut done) = (vec![0; COPIED], 0);
    while done < from.size() {
        let count = usize::try_from(from.size() - done).map_or(COPIED, |left| left.min(COPIED));
        let bytes = &mut buffer[..count];
        from.file.read_exact_at(bytes, done)?;
        if bytes.iter().any(|byte| *byte != 0) {
            to.write_all_at(bytes, at + done)?;
        }
        done += count as u64;
    }
    Ok(())
}

/// Gives a file without a name its name, in the place of one that has it.
fn name(file: &File, directory: &Path, to: &Path) -> io::Result<()> {
    let hidden = directory.join(format!(".{}.new", to.file_name().unwrap_or_default().to_string_lossy()));
    match rustix::fs::unlink(&hidden) {
        // A killed maker has left it.
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, own.as_str(), CWD, &hidden, AtFlags::SYMLINK_FOLLOW)?;
    std::fs::rename(&hidden, to)?;
    File::open(directory)?.sync_all()
}
