//! All units of some apps: no two things at one path, always in the same order.
//! It writes nothing to a disk; its text is what the dry run shows and the golden files hold.
//! Where drop-ins and links belong is systemd.unit(5) and systemd.generator(7).

use super::{Unit, UnitName};
use std::collections::BTreeMap;
use std::fmt;

/// What stands at a path of the generator's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file with this text.
    File(String),
    /// A symbolic link to this target.
    Link(String),
}

/// Two things wanted one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The path below the generator's directory.
    pub path: String,
}

/// Units, drop-ins and links by their path below the generator's directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitSet {
    entries: BTreeMap<String, Content>,
}

/// Our drop-ins sort before an admin's `override.conf` and after a vendor's `10-….conf`.
pub const DROP_IN: &str = "50-veneer.conf";

impl UnitSet {
    /// Adds a unit file.
    pub fn unit(&mut self, name: &UnitName, unit: Unit) -> Result<(), Duplicate> {
        self.add(name.as_str().to_owned(), Content::File(unit.into_text()))
    }

    /// Adds our drop-in of a unit.
    pub fn drop_in(&mut self, name: &UnitName, unit: Unit) -> Result<(), Duplicate> {
        self.add(format!("{name}.d/{DROP_IN}"), Content::File(unit.into_text()))
    }

    /// Adds a link as a drop-in of a unit.
    pub fn drop_in_link(&mut self, name: &UnitName, file: &str, target: String) -> Result<(), Duplicate> {
        self.add(format!("{name}.d/{file}"), Content::Link(target))
    }

    /// Makes a target want a unit.
    pub fn wanted_by(&mut self, target: &'static str, name: &UnitName, file: String) -> Result<(), Duplicate> {
        self.add(format!("{target}.wants/{name}"), Content::Link(file))
    }

    /// Adds anything at a path.
    pub fn add(&mut self, path: String, content: Content) -> Result<(), Duplicate> {
        match self.entries.entry(path) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(content);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(taken) => Err(Duplicate { path: taken.key().clone() }),
        }
    }

    /// Whether something stands at this path.
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// What stands at this path.
    pub fn get(&self, path: &str) -> Option<&Content> {
        self.entries.get(path)
    }

    /// Everything, in order of path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.entries.iter().map(|(path, content)| (path.as_str(), content))
    }

    /// Adds all of another set; the first path that both have is the error.
    pub fn merge(&mut self, other: UnitSet) -> Result<(), Duplicate> {
        other.entries.into_iter().try_for_each(|(path, content)| self.add(path, content))
    }
}

impl fmt::Display for UnitSet {
    /// One text: a line `--- PATH` or `--- PATH -> TARGET` before each thing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, content) in self.iter() {
            match content {
                Content::File(text) => write!(f, "--- {path}\n{text}")?,
                Content::Link(target) => writeln!(f, "--- {path} -> {target}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_things_at_one_path_are_an_error() {
        let mut set = UnitSet::default();
        assert_eq!(set.add("a.mount".into(), Content::Link("x".into())), Ok(()));
        assert_eq!(set.add("a.mount".into(), Content::Link("y".into())), Err(Duplicate { path: "a.mount".into() }));
        assert_eq!(set.to_string(), "--- a.mount -> x\n");
    }
}
