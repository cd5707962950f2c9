//! Images, with the files beside them: their sizes and identities.
//! It looks into none of them, and knows nothing of what they are for.
//! What belongs to which image is `crate::store::listing`'s to say, by names alone.

use super::{Reader, Reading, allocated, modified};
use crate::layout::IMAGES;
use crate::store::listing::{Group, Listing, is_hash_tree};
use crate::store::{StoredFile, StoredImage};
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::panic::resume_unwind;
use std::path::Path;

/// Fewer images are not worth a thread.
const SHARE_MIN: usize = 500;

/// Which of the files beside an image are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    All,
    /// Hash trees, which grow with their images.
    Trees,
}

impl Reader<'_> {
    pub(super) fn images(&mut self) {
        let Some((dir, path)) = self.open(IMAGES) else { return };
        let names = self.names(&dir, &path);
        let mut listing = Listing::of(names);
        let groups: Vec<(String, Group)> = std::mem::take(&mut listing.images).into_iter().collect();
        self.found.store.rest = listing;
        // Nearly all of the time goes into asking the kernel about each file, which processors can do side by side.
        let (store, beside, dir, path) = (self.store, self.beside, dir.as_fd(), &path);
        let read = |groups: Vec<(String, Group)>| {
            let mut part = Reader { store, beside, found: Reading::default() };
            for (name, group) in groups {
                let image = part.image(dir, path, name, group);
                part.found.store.images.extend(image);
            }
            part.found
        };
        let parts = std::thread::scope(|scope| {
            let begun: Vec<_> = shares(groups).into_iter().map(|share| scope.spawn(move || read(share))).collect();
            let ended = begun.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.collect::<Vec<Reading>>()
        });
        for part in parts {
            self.found.store.images.extend(part.store.images);
            self.found.problems.extend(part.problems);
        }
    }

    /// An image; none if its own file has vanished meanwhile.
    fn image(&mut self, dir: BorrowedFd<'_>, path: &Path, name: String, group: Group) -> Option<StoredImage> {
        let mut files = Vec::with_capacity(group.images.len() + group.beside.len());
        for file in group.images {
            files.extend(self.file(dir, path, file));
        }
        let images = files.len();
        let which = self.beside;
        for file in group.beside.into_iter().filter(|file| which == Beside::All || is_hash_tree(file)) {
            files.extend(self.file(dir, path, file));
        }
        (images > 0).then_some(StoredImage { name, files, images })
    }

    fn file(&mut self, dir: BorrowedFd<'_>, path: &Path, name: String) -> Option<StoredFile> {
        let own = self.found(rustix::fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW), path, &name)?;
        let is_link = rustix::fs::FileType::from_raw_mode(own.st_mode) == rustix::fs::FileType::Symlink;
        let inode = if is_link {
            match rustix::fs::statat(dir, &name, AtFlags::empty()) {
                Ok(target) => Some((target.st_dev, target.st_ino)),
                Err(Errno::NOENT | Errno::LOOP) => None,
                Err(errno) => {
                    self.problem(&path.join(&name), errno);
                    None
                }
            }
        } else {
            Some((own.st_dev, own.st_ino))
        };
        let size = if is_link { 0 } else { u64::try_from(own.st_size).unwrap_or(0) };
        Some(StoredFile { name, size, allocated: allocated(&own), inode, modified: modified(&own) })
    }
}

/// As many shares as there are processors, in order; a small store is one.
fn shares<T>(mut all: Vec<T>) -> Vec<Vec<T>> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let size = all.len().div_ceil(processors).max(SHARE_MIN);
    let mut shares = Vec::new();
    while all.len() > size {
        let rest = all.split_off(size);
        shares.push(std::mem::replace(&mut all, rest));
    }
    shares.push(all);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_all_of_it_in_order() {
        for count in [0, 1, SHARE_MIN, SHARE_MIN + 1, 10_007] {
            let all: Vec<usize> = (0..count).collect();
            let shares = shares(all.clone());
            assert!(shares.len() <= 1 + count / SHARE_MIN, "{count}");
            assert_eq!(shares.concat(), all);
        }
    }
}
