//! A disk image written from an image, its hash tree and, if there is one, its signature.
//! It lays nothing out: `image::disk` does; and it believes no root hash: what it wrote is read back against it.
//! Rules: open(2) `O_TMPFILE`, linkat(2), rename(2): the disk is whole under its name, or what was there before is.

use super::image_files::{ImageData, VerityFiles};
use super::image_look::Look;
use super::notify::Progress;
use super::{new_file, signature, tree_check};
use crate::app::Verify;
use crate::image::disk::{Contents, Disk, lay_out};
use crate::image::identity::Seed;
use crate::image::partition::{Machine, Partition};
use crate::image::signature_partition::{fingerprint, signature_json};
use crate::sysexits::Exit;
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
    verity: VerityFiles,
    signature: Option<Vec<u8>>,
}

impl Parts {
    /// Of an image with what stands beside it; a signature needs the certificate it was made with, in PEM, and is checked
    /// against it.
    pub fn of(look: Look, certificate: Option<&Path>) -> Result<Self> {
        let missing = |what: &str| Fault::no_input(format!("{} has no {what} beside it", look.image.path()));
        let root = look.root.ok_or_else(|| missing("root hash"))?;
        let tree = look.tree.ok_or_else(|| missing("hash tree"))?;
        let signature = match (look.signature, certificate) {
            (Some(signature), Some(path)) => {
                let unread = |error| Fault::no_input(format!("certificate {} cannot be read: {error}", path.display()));
                let pem = std::fs::read(path).map_err(unread)?;
                let none = || Fault::data(format!("{} is no certificate in PEM", path.display()));
                let signer = fingerprint(&pem).ok_or_else(none)?;
                signature::check_by(&root, &signature, path)?;
                Some(signature_json(&root, &signer, &signature.read_all(SIGNATURE_MAX)?))
            }
            (None, Some(_)) => return Err(missing("signature").into()),
            (Some(_), None) => {
                let said = "is signed: --certificate= has to say with which, for the disk says so too";
                let sentence = format!("{} {said}", look.image.path());
                return Err(Fault { exit: Exit::Usage, sentence }.into());
            }
            (None, None) => None,
        };
        let verity = VerityFiles { tree, root, root_file: None, signature: None };
        Ok(Self { image: look.image, verity, signature })
    }

    /// How the disk will look.
    pub fn lay_out(&self, machine: Machine) -> Disk {
        lay_out(&Contents {
            image: self.image.size(),
            tree: self.verity.tree.size(),
            signature: self.signature.as_ref().map(|bytes| bytes.len() as u64),
            root: &self.verity.root,
            machine,
            seed: Seed(self.verity.root.to_bytes().try_into().unwrap_or_default()),
        })
    }

    /// Writes the disk, reads it back, and gives it its name; its size.
    pub fn write(&self, machine: Machine, to: &Path) -> Result<u64> {
        new_file::check(to)?;
        let disk = self.lay_out(machine);
        let act = || format!("writing {}", to.display());
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(directory, flags, Mode::from_raw_mode(0o644)).with_context(act)?);
        self.fill(&file, &disk).with_context(act)?;
        if let Err(said) = self.read_back(&file, &disk, to) {
            // The image's own fault, if it has one, is what there is to know.
            tree_check::check(&self.image, &self.verity, Verify::Full)?;
            return Err(said);
        }
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
                (Partition::Tree, _) => copy(&self.verity.tree, file, *at)?,
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
        let different = || Fault::failure(format!("{} is not on the disk as it was written", to.display()));
        let mut head = [0; SUPERBLOCK_SIZE];
        tree.read_at(&mut head, 0).with_context(|| format!("reading {} back", to.display()))?;
        let sb = Superblock::parse(&head).map_err(|_| different())?;
        let root = self.verity.root.to_bytes();
        let open = Tree::open(&tree, &sb, &root).map_err(|_| different())?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut progress = Progress::begin(format!("reading {} back", to.display()), open.leaves());
        let checked = check_all(&open, &image, threads, |done| progress.reached(done));
        Ok(checked.map_err(|_| different())?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::identity::Uuid;
    use crate::verity::build::{BLOCK, Leaves};
    use std::path::PathBuf;

    /// An image of a few blocks with what stands beside it.
    fn image(dir: &Path) -> PathBuf {
        let raw = dir.join("a.raw");
        std::fs::write(&raw, vec![7; 3 * BLOCK]).expect("written");
        let leaves = Leaves::read([1; 32], &File::open(&raw).expect("open"), 3, 1).expect("leaves");
        let built = leaves.build(Uuid([2; 16])).expect("tree");
        std::fs::write(dir.join("a.verity"), built.file).expect("written");
        std::fs::write(dir.join("a.roothash"), built.root.as_str()).expect("written");
        raw
    }

    fn parts(raw: &Path) -> Parts {
        Parts::of(Look::at(raw).expect("looked").expect("there"), None).expect("parts")
    }

    #[test]
    fn a_disk_takes_the_place_of_a_regular_file_and_of_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let raw = image(dir.path());
        let to = |name: &str| dir.path().join(name);
        for name in ["new", "new"] {
            parts(&raw).write(Machine::X86_64, &to(name)).expect("written");
        }
        std::os::unix::fs::symlink("new", to("link")).expect("link");
        let error = parts(&raw).write(Machine::X86_64, &to("link")).expect_err("refused");
        assert!(error.to_string().contains("link is a symbolic link"), "{error}");
        assert!(std::fs::read_link(to("link")).is_ok());
    }

    #[test]
    fn a_damaged_image_is_to_blame_and_no_disk_is_left() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let raw = image(dir.path());
        std::fs::write(&raw, vec![8; 3 * BLOCK]).expect("damaged");
        let error = parts(&raw).write(Machine::X86_64, &dir.path().join("disk")).expect_err("refused");
        assert_eq!(error.to_string(), format!("{} is damaged in block 0", raw.display()));
        assert_eq!(Fault::of(&error).map(|fault| fault.exit), Some(Exit::Data));
        assert!(!dir.path().join("disk").exists());
    }

    #[test]
    fn a_signed_image_wants_its_certificate() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let raw = image(dir.path());
        std::fs::write(dir.path().join("a.roothash.p7s"), "signature").expect("written");
        let look = || Look::at(&raw).expect("looked").expect("there");
        let exit = |certificate: Option<&Path>| {
            let error = Parts::of(look(), certificate).map(drop).expect_err("refused");
            Fault::of(&error).map(|fault| fault.exit)
        };
        assert_eq!(exit(None), Some(Exit::Usage));
        assert_eq!(exit(Some(&dir.path().join("none.crt"))), Some(Exit::NoInput));
    }
}
