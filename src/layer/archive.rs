//! A tar archive as a layer: names cleaned, whiteouts recognized, links checked.
//! It decides nothing about other layers.
//! Sources: the OCI image layer specification, "Whiteouts"; AUFS's own files are left out as containerd leaves them out.

use super::entry::{Entry, Kind, LayerReader};
use super::fault::{bad, shown, within};
use super::limits::{Limits, PATH_MAX};
use super::path::LayerPath;
use super::pipeline::{Stream, better_reason};
use super::tar::TarReader;
use super::tar_entry::{TarEntry, TarKind};
use crate::image::tree::{Content, Piece, Special};
use std::io;

/// What a file of this name stands for begins behind it.
const WHITEOUT: &[u8] = b".wh.";
/// The directory this stands in has nothing from below.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// AUFS's own files (`.wh..wh.plnk`, `.wh..wh.aufs`, `.wh..wh.orph`), which mean nothing elsewhere.
const AUFS: &[u8] = b".wh..wh.";

/// A tar archive that is being read as a layer.
pub struct ArchiveReader {
    tar: TarReader<Stream>,
}

impl ArchiveReader {
    /// Begins at the first entry.
    pub fn new(stream: Stream, limits: Limits) -> Self {
        Self { tar: TarReader::new(stream, limits) }
    }

    fn next(&mut self) -> io::Result<Option<Entry>> {
        while let Some(entry) = self.tar.next_entry()? {
            if let Some(entry) = said(entry)? {
                return Ok(Some(entry));
            }
        }
        self.tar.input_mut().finish()?;
        Ok(None)
    }
}

impl LayerReader for ArchiveReader {
    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        self.next().map_err(|error| better_reason(self.tar.input_mut(), error))
    }

    fn content(&mut self) -> &mut dyn Content {
        self
    }

    fn bytes(&self) -> u64 {
        self.tar.input().bytes()
    }
}

impl Content for ArchiveReader {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.tar.next_piece()
    }
}

/// What an entry says; nothing if it is to be left out.
pub fn said(entry: TarEntry) -> io::Result<Option<Entry>> {
    let about = |error: io::Error| within(shown(&entry.path), &error);
    let path = LayerPath::parse(&entry.path).map_err(about)?;
    if path.names().any(|name| name.starts_with(AUFS) && name != OPAQUE) {
        return Ok(None);
    }
    if let Some(whiteout) = whiteout(&path).map_err(about)? {
        return Ok(Some(whiteout));
    }
    let kind = match entry.kind {
        TarKind::Directory => Kind::Directory(entry.meta),
        _ if path.is_root() => return Err(about(bad("the root is no directory"))),
        TarKind::File(size) => Kind::File(entry.meta, size),
        TarKind::HardLink(target) => Kind::HardLink(link_target(&target).map_err(about)?),
        TarKind::Special(special) => {
            check_special(&special).map_err(about)?;
            Kind::Special(entry.meta, special)
        }
    };
    Ok(Some(Entry { path, kind }))
}

/// A name that begins with `.wh.` can stand for nothing else, and only at the end of a path.
fn whiteout(path: &LayerPath) -> io::Result<Option<Entry>> {
    let Some((parent, name)) = path.split() else { return Ok(None) };
    if parent.names().any(|name| name.starts_with(WHITEOUT)) {
        return Err(bad("it is below a whiteout"));
    }
    if name == OPAQUE {
        return Ok(Some(Entry { path: parent, kind: Kind::Opaque }));
    }
    match name.strip_prefix(WHITEOUT) {
        None => Ok(None),
        Some(b"" | b"." | b"..") => Err(bad("it is a whiteout of no name")),
        Some(gone) => Ok(Some(Entry { path: parent.join(gone), kind: Kind::Whiteout })),
    }
}

fn link_target(target: &[u8]) -> io::Result<LayerPath> {
    let path = LayerPath::parse(target).map_err(|error| within("its link target", &error))?;
    if path.is_root() {
        return Err(bad("it is a hard link to a directory"));
    }
    Ok(path)
}

/// What a link says is kept as it is: nobody follows it here but inside the root.
pub fn check_special(special: &Special) -> io::Result<()> {
    match special {
        Special::Symlink(target) if target.is_empty() => Err(bad("it is a link to nothing")),
        Special::Symlink(target) if target.len() > PATH_MAX => {
            Err(bad(format!("its link target has {} bytes, {PATH_MAX} are possible", target.len())))
        }
        Special::Symlink(target) if target.contains(&0) => Err(bad("its link target has a zero byte in it")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tree::Meta;

    fn of(path: &[u8], kind: TarKind) -> Result<Option<Entry>, String> {
        said(TarEntry { path: path.into(), kind, meta: Meta::default() }).map_err(|error| error.to_string())
    }

    #[test]
    fn whiteouts_are_what_their_name_says() {
        let kind = |name: &[u8]| {
            let entry = of(name, TarKind::File(0)).expect("good").expect("an entry");
            (entry.path.shown(), entry.kind)
        };
        assert_eq!(kind(b"a/.wh.b"), ("/a/b".into(), Kind::Whiteout));
        assert_eq!(kind(b".wh.b"), ("/b".into(), Kind::Whiteout));
        assert_eq!(kind(b".wh...b"), ("/..b".into(), Kind::Whiteout));
        assert_eq!(kind(b"a/.wh..wh..opq"), ("/a".into(), Kind::Opaque));
        assert_eq!(kind(b"./.wh..wh..opq"), ("/".into(), Kind::Opaque));
        assert_eq!(kind(b"a/.whx"), ("/a/.whx".into(), Kind::File(Meta::default(), 0)));
    }

    #[test]
    fn aufss_own_files_are_left_out() {
        for name in [&b".wh..wh.plnk/1.2"[..], b".wh..wh.aufs", b".wh..wh.orph"] {
            assert_eq!(of(name, TarKind::File(0)), Ok(None));
        }
    }

    #[test]
    fn names_and_links_that_cannot_be_are_refused() {
        let link = |target: &[u8]| TarKind::Special(Special::Symlink(target.into()));
        for (name, kind) in [
            (&b".wh."[..], TarKind::File(0)),
            (b".wh..", TarKind::File(0)),
            (b"a/.wh...", TarKind::File(0)),
            (b".wh.a/b", TarKind::File(0)),
            (b"../a", TarKind::File(0)),
            (b"/", TarKind::File(0)),
            (b"a", TarKind::HardLink(b"../b".to_vec())),
            (b"a", TarKind::HardLink(b"/".to_vec())),
            (b"a", link(b"")),
            (b"a", link(&[b'x'; 4096])),
            (b"a", link(b"a\0b")),
        ] {
            assert!(of(name, kind.clone()).is_err(), "{name:?} {kind:?}");
        }
        assert!(of(b"a", link(b"../../../etc/passwd")).is_ok());
    }
}
