//! The tree of names made flat: every directory once, parents first, and how many names each other inode has.
//! It lays nothing out and follows no link; the depth of a tree costs no stack here.
//! Rules: what `tree` says of names; path_resolution(7).

use super::limits::refused;
use super::tree::{Directory, Entry};
use std::io;

/// Longest name (`NAME_MAX`, linux/limits.h).
const NAME_MAX: usize = 255;

/// A directory and its neighbours, by their places in the list.
#[derive(Clone, Copy, Debug)]
pub struct Flat<'a> {
    /// It.
    pub directory: &'a Directory,
    /// The one it is in; the root's is the root.
    pub parent: usize,
    /// The first of those in it; the others follow, in order of their names.
    pub first_child: usize,
    /// How many there are.
    pub children: u32,
}

impl Flat<'_> {
    /// How many links it has: its name, its `.`, and the `..` of those in it.
    pub fn links(&self) -> u32 {
        self.children.saturating_add(2)
    }
}

/// All directories, the root first, each level before the next.
pub fn flatten(root: &Directory) -> io::Result<Vec<Flat<'_>>> {
    let mut list = vec![Flat { directory: root, parent: 0, first_child: 1, children: 0 }];
    let mut index = 0;
    while index < list.len() {
        let directory = list[index].directory;
        let first_child = list.len();
        for (name, entry) in &directory.entries {
            check_name(name)?;
            if let Entry::Directory(child) = entry {
                list.push(Flat { directory: child, parent: index, first_child: 0, children: 0 });
            }
        }
        list[index].first_child = first_child;
        list[index].children = u32::try_from(list.len() - first_child).map_err(io::Error::other)?;
        index += 1;
    }
    Ok(list)
}

/// How many names each of so many inodes has.
pub fn count_links(directories: &[Flat<'_>], inodes: usize) -> io::Result<Vec<u32>> {
    let mut links = vec![0u32; inodes];
    for entry in directories.iter().flat_map(|flat| flat.directory.entries.values()) {
        if let Entry::Inode(id) = entry {
            let count =
                links.get_mut(id.0 as usize).ok_or_else(|| refused("a name leads to an unknown inode".into()))?;
            *count = count.checked_add(1).ok_or_else(|| refused("a file has more than 4294967295 names".into()))?;
        }
    }
    Ok(links)
}

fn check_name(name: &[u8]) -> io::Result<()> {
    let shown = || String::from_utf8_lossy(name);
    if name.len() > NAME_MAX {
        return Err(refused(format!("the name {:?} has {} bytes, {NAME_MAX} fit", shown(), name.len())));
    }
    if matches!(name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
        return Err(refused(format!("no file can have the name {:?}", shown())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tree::InodeId;

    fn directory(entries: Vec<(&str, Entry)>) -> Directory {
        let entries = entries.into_iter().map(|(name, entry)| (name.as_bytes().into(), entry)).collect();
        Directory { entries, ..Directory::default() }
    }

    #[test]
    fn children_follow_each_other_and_know_their_parent() {
        let inode = |id| Entry::Inode(InodeId(id));
        let below = directory(vec![("x", inode(0)), ("y", Entry::Directory(directory(vec![])))]);
        let root = directory(vec![
            ("a", Entry::Directory(below)),
            ("b", inode(0)),
            ("c", Entry::Directory(directory(vec![]))),
        ]);
        let list = flatten(&root).expect("good names");
        let shape: Vec<_> = list.iter().map(|flat| (flat.parent, flat.first_child, flat.children)).collect();
        assert_eq!(shape, [(0, 1, 2), (0, 3, 1), (0, 4, 0), (1, 4, 0)]);
        assert_eq!(list[0].links(), 4);
        assert_eq!(count_links(&list, 2).expect("known"), [2, 0]);
        assert!(count_links(&list, 0).is_err());
    }

    #[test]
    fn depth_costs_no_stack() {
        let mut root = Directory::default();
        // As deep as a path of 4095 bytes goes; dropping such a tree costs stack.
        for _ in 0..2047 {
            root = directory(vec![("d", Entry::Directory(root))]);
        }
        assert_eq!(flatten(&root).expect("good names").len(), 2048);
    }

    #[test]
    fn names_that_no_file_can_have_are_refused() {
        for name in ["", ".", "..", "a/b", "a\0b", &"x".repeat(256)] {
            assert!(flatten(&directory(vec![(name, Entry::Inode(InodeId(0)))])).is_err(), "{name:?}");
        }
        assert!(flatten(&directory(vec![(&"x".repeat(255), Entry::Inode(InodeId(0)))])).is_ok());
    }
}
