//! The check of a hash tree before the kernel gets it, in words for the admin.
//! It is no substitute for the kernel's own check of each block when it is read.
//! How a tree is laid out and checked is `verity::tree`.

use super::image_files::{ImageData, VerityFiles};
use super::notify::Progress;
use crate::app::Verify;
use crate::verity::superblock::SUPERBLOCK_SIZE;
use crate::verity::tree::{Tree, TreeFault, check_all};
use crate::verity::{Fault, Superblock};
use std::os::unix::fs::FileExt as _;

/// Leaves between two signs of progress: 64 MiB of data with the usual sizes.
const LEAVES_AT_ONCE: u64 = 128;

/// Reads the superblock and checks the tree, and with [`Verify::Full`] all the data.
pub fn check(image: &ImageData, verity: &VerityFiles, verify: Verify) -> Result<Superblock, Fault> {
    let sb = superblock(image, &verity.tree)?;
    let say = |fault| in_words(&fault, image.path(), verity);
    let root = verity.root.to_bytes();
    let tree = Tree::open(&verity.tree, &sb, &root).map_err(say)?;
    let what = format!("checking {}", image.path());
    match verify {
        Verify::Tree if tree.leaves() <= LEAVES_AT_ONCE => tree.check_leaves(0..tree.leaves()).map_err(say)?,
        Verify::Tree => {
            let mut progress = Progress::begin(what, tree.leaves());
            for begin in (0..tree.leaves()).step_by(LEAVES_AT_ONCE as usize) {
                tree.check_leaves(begin..(begin + LEAVES_AT_ONCE).min(tree.leaves())).map_err(say)?;
                progress.reached(begin);
            }
        }
        Verify::Full => {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let mut progress = Progress::begin(what, tree.leaves());
            check_all(&tree, image, threads, |done| progress.reached(done)).map_err(say)?;
        }
    }
    Ok(sb)
}

/// Reads the tree and, from one leaf on, all the data, from the disk and not from memory; tells after each piece how far it is.
pub fn scrub(image: &ImageData, verity: &VerityFiles, from: u64, mut reached: impl FnMut(u64)) -> Result<(), Fault> {
    let sb = superblock(image, &verity.tree)?;
    let say = |fault| in_words(&fault, image.path(), verity);
    let root = verity.root.to_bytes();
    forget(&verity.tree);
    forget(image);
    let tree = Tree::open(&verity.tree, &sb, &root).map_err(say)?;
    let mut progress = Progress::begin(format!("reading {}", image.path()), tree.leaves());
    for begin in (from.min(tree.leaves())..tree.leaves()).step_by(LEAVES_AT_ONCE as usize) {
        let end = (begin + LEAVES_AT_ONCE).min(tree.leaves());
        tree.check_data(begin..end, image).map_err(say)?;
        // What only a scrub has read need not push out what others use.
        forget(image);
        reached(end);
        progress.reached(end);
    }
    Ok(())
}

/// Advice: where it is not taken, memory is checked.
fn forget(data: &ImageData) {
    let _ = rustix::fs::fadvise(&data.file, 0, None, rustix::fs::Advice::DontNeed);
}

fn superblock(image: &ImageData, tree: &ImageData) -> Result<Superblock, Fault> {
    let mut head = [0; SUPERBLOCK_SIZE];
    tree.file
        .read_exact_at(&mut head, 0)
        .map_err(|_| Fault::data(format!("hash tree {} of {} is truncated", tree.path(), image.path())))?;
    let sb = Superblock::parse(&head)
        .map_err(|said| Fault::data(format!("hash tree {} of {} {said}", tree.path(), image.path())))?;
    if sb.data_size() > image.size() {
        return Err(Fault::data(format!(
            "{} is truncated: it has {} bytes, its hash tree covers {}",
            image.path(),
            image.size(),
            sb.data_size()
        )));
    }
    Ok(sb)
}

fn in_words(fault: &TreeFault, image: &str, verity: &VerityFiles) -> Fault {
    let tree = verity.tree.path();
    Fault::data(match fault {
        TreeFault::Root => format!("root hash of {image} does not match its hash tree {tree}"),
        TreeFault::HashBlock(block) => format!("hash tree {tree} of {image} is damaged in block {block}"),
        TreeFault::DataBlock(block) => format!("{image} is damaged in block {block}"),
        TreeFault::Count => format!("hash tree {tree} of {image} does not cover as many blocks as its superblock says"),
        TreeFault::TreeTruncated => format!("hash tree {tree} of {image} is truncated"),
        TreeFault::DataTruncated => format!("{image} is truncated"),
        TreeFault::ReadTree(error) => format!("hash tree {tree} of {image} cannot be read: {error}"),
        TreeFault::ReadData(error) => format!("{image} cannot be read: {error}"),
    })
}
