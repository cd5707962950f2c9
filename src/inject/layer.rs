//! What is put in, by itself: the names that are not as they were, to be laid over an image that stays untouched.
//! It hides nothing: what is there is replaced by name or kept, never deleted, so no whiteout is needed.
//! Rules: the kernel's Documentation/filesystems/overlayfs, "Directories": names of both layers show, the upper one's inode.

use super::decide::Plan;
use crate::image::tree::{Directory, Entry};

/// Whether a whole image is written or a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// All that the image has, and what is put in.
    #[default]
    Whole,
    /// What is put in, and the directories that it is in.
    Layer,
}

impl Plan {
    /// The same, of what is not as it was.
    pub fn only_new(self, old: &Directory) -> Self {
        let names = differing(&self.names, old);
        let names = names.unwrap_or_else(|| Directory { meta: self.names.meta.clone(), ..Directory::default() });
        Self { names, ..self }
    }
}

/// A directory with the names that are not as they were; nothing if all are.
fn differing(new: &Directory, old: &Directory) -> Option<Directory> {
    let one = |name: &[u8], entry: &Entry| match (entry, old.entries.get(name)) {
        (Entry::Directory(new), Some(Entry::Directory(old))) => differing(new, old).map(Entry::Directory),
        (entry, Some(old)) if entry == old => None,
        (entry, _) => Some(entry.clone()),
    };
    let entries = new.entries.iter().filter_map(|(name, entry)| Some((name.clone(), one(name, entry)?)));
    let directory = Directory { meta: new.meta.clone(), entries: entries.collect() };
    (!directory.entries.is_empty() || new.meta != old.meta).then_some(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tree::{InodeId, Meta, Mode};

    fn directory(mode: u16, entries: Vec<(&str, Entry)>) -> Directory {
        let entries = entries.into_iter().map(|(name, entry)| (name.as_bytes().into(), entry)).collect();
        Directory { meta: Meta { mode: Mode(mode), ..Meta::default() }, entries }
    }

    #[test]
    fn a_layer_has_what_is_new_or_changed_and_the_way_to_it() {
        let inode = |id| Entry::Inode(InodeId(id));
        let below = |entries| Entry::Directory(directory(0o750, entries));
        let old = directory(
            0o755,
            vec![("a", below(vec![("kept", inode(0)), ("other", inode(1))])), ("b", below(vec![("x", inode(2))]))],
        );
        let mut new = old.clone();
        new.entries.insert(b"a".as_slice().into(), below(vec![("kept", inode(0)), ("other", inode(9))]));
        new.entries.insert(b"c".as_slice().into(), below(vec![]));
        let wanted = directory(0o755, vec![("a", below(vec![("other", inode(9))])), ("c", below(vec![]))]);
        assert_eq!(differing(&new, &old), Some(wanted));
        assert_eq!(differing(&old, &old), None);
        let changed = directory(0o700, vec![]);
        assert_eq!(differing(&changed, &directory(0o755, vec![])), Some(changed));
    }
}
