//! Names in a layer: cleaned, checked, and always below the root.
//! It knows no tree and follows no link: `merge` does that, inside the root.
//! Sources: the OCI image layer specification, path_resolution(7), and what containerd and umoci do with odd names.

use super::fault::{bad, shown};
use super::limits::{NAME_MAX, PATH_MAX};
use std::io;

/// A name in a layer with its directories: no leading or doubled `/`, no `.`, no `..`; empty for the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerPath(Box<[u8]>);

impl LayerPath {
    /// Cleans a name as an archive has it; `/a`, `./a` and `a/` are `a`.
    pub fn parse(name: &[u8]) -> io::Result<Self> {
        if is_clean(name) {
            return Ok(Self(name.into()));
        }
        let mut clean = Vec::with_capacity(name.len());
        for part in name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
            check(part)?;
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend_from_slice(part);
        }
        if clean.len() > PATH_MAX {
            return Err(bad(format!("the name has {} bytes, {PATH_MAX} are possible", clean.len())));
        }
        Ok(Self(clean.into()))
    }

    /// Directory and name together; the name is one that [`LayerPath::parse`] has passed, or the kernel.
    pub fn join(&self, name: &[u8]) -> Self {
        let slash: &[u8] = if self.is_root() { b"" } else { b"/" };
        Self([&self.0, slash, name].concat().into())
    }

    /// The bytes, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Directory and name; none for the root.
    pub fn split(&self) -> Option<(Self, &[u8])> {
        let (parent, name) = split(&self.0)?;
        Some((Self(parent.into()), name))
    }

    /// The names on the way, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// For a message.
    pub fn shown(&self) -> String {
        format!("/{}", shown(&self.0))
    }
}

/// Directory and name of a clean path; none for the root.
pub(crate) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => Some((&path[..slash], &path[slash + 1..])),
        None => Some((b"", path)),
    }
}

fn check(part: &[u8]) -> io::Result<()> {
    if part == b".." {
        return Err(bad("the name has '..' in it"));
    }
    if part.len() > NAME_MAX {
        return Err(bad(format!("a part of the name has {} bytes, {NAME_MAX} are possible", part.len())));
    }
    if part.contains(&0) {
        return Err(bad("the name has a zero byte in it"));
    }
    Ok(())
}

/// Whether a name needs no cleaning: nearly all of them.
fn is_clean(name: &[u8]) -> bool {
    let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && check(part).is_ok();
    name.len() <= PATH_MAX && name.split(|byte| *byte == b'/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &[u8]) -> Result<String, String> {
        LayerPath::parse(name).map(|path| path.shown()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_come_out_below_the_root_or_not_at_all() {
        for (name, clean) in [
            (&b"a/b"[..], "/a/b"),
            (b"/a", "/a"),
            (b"./a/./b//c/", "/a/b/c"),
            (b"", "/"),
            (b"/", "/"),
            (b"./", "/"),
            (b"..a/b..", "/..a/b.."),
            (b"a\xff", "/a\\xff"),
        ] {
            assert_eq!(parsed(name), Ok(clean.into()), "{name:?}");
        }
        for name in [&b".."[..], b"../a", b"a/..", b"/../a", b"a/../b", b"a\0b", &[b'x'; 256]] {
            assert!(parsed(name).is_err(), "{name:?}");
        }
        assert!(parsed(&b"x/".repeat(2047)).is_ok());
        assert!(parsed(&b"xy/".repeat(1366)).is_err());
    }

    #[test]
    fn a_path_comes_apart_and_together() {
        let path = LayerPath::parse(b"a/b/c").expect("good");
        let (parent, name) = path.split().expect("not the root");
        assert_eq!((parent.as_bytes(), name), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(parent.join(name), path);
        assert_eq!(LayerPath::default().join(b"x").as_bytes(), b"x");
        assert_eq!(LayerPath::default().split(), None);
        assert_eq!(path.names().count(), 3);
        assert_eq!(LayerPath::default().names().count(), 0);
    }
}
