//! What an overlay changes: a line for each file that is added, changed or deleted.
//! Pure: what was found comes in from `host::overlay::diff`.
//! The field names are an interface (docs/overlays.md).

use serde::{Deserialize, Serialize};

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Became {
    /// There was none.
    Added,
    /// There was another one, or it had another owner, mode, size or time.
    Changed,
    /// There is none any more.
    Deleted,
}

/// Whose layer it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The source brought it.
    Source,
    /// It was written into the overlay.
    Written,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Special,
}

/// What is known of a file, on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Look {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Its size in bytes.
    pub size: u64,
    /// Permissions, as a number.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// The file, from the target on, without a slash before it.
    pub path: String,
    /// What became of it.
    pub became: Became,
    /// In whose layer.
    pub by: By,
    /// What it was beneath the overlay.
    pub before: Option<Look>,
    /// What it is now.
    pub after: Option<Look>,
}

impl Change {
    /// `A`, `C` or `D`, as `ostree admin config-diff` has them but in one letter for each act.
    pub fn letter(&self) -> char {
        match self.became {
            Became::Added => 'A',
            Became::Changed => 'C',
            Became::Deleted => 'D',
        }
    }

    /// Says nothing of what lies beneath, not even whether anything does.
    pub fn conceal(&mut self) {
        self.before = None;
        if self.became == Became::Changed {
            self.became = Became::Added;
        }
    }

    /// What is to be told of the file: as it is now, or as it was.
    pub fn look(&self) -> Option<Look> {
        self.after.or(self.before)
    }
}

impl Look {
    /// Ten letters, as ls(1) has them.
    pub fn mode_text(&self) -> String {
        let kind = match self.kind {
            Type::File => '-',
            Type::Directory => 'd',
            Type::Link => 'l',
            Type::Special => 'c',
        };
        let mut text = String::from(kind);
        for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
            let bits = self.mode >> shift;
            text.push(if bits & 4 > 0 { 'r' } else { '-' });
            text.push(if bits & 2 > 0 { 'w' } else { '-' });
            text.push(match (bits & 1 > 0, self.mode & special > 0) {
                (true, true) => letter,
                (false, true) => letter.to_ascii_uppercase(),
                (true, false) => 'x',
                (false, false) => '-',
            });
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_ls_writes_them() {
        let text = |kind, mode| Look { kind, size: 0, mode, uid: 0, gid: 0 }.mode_text();
        assert_eq!(text(Type::File, 0o4755), "-rwsr-xr-x");
        assert_eq!(text(Type::Directory, 0o1777), "drwxrwxrwt");
        assert_eq!(text(Type::File, 0o6604), "-rwS--Sr--");
    }
}
