//! An archive of a layout: where in it each file's bytes are, so that they are read there and nothing is unpacked.
//! It seeks past the files' bytes and reads none of them.
//! Sources: the OCI image layout specification; `docker save` links equal layers to each other.

use crate::image::tree::Special;
use crate::layer::fault::bad;
use crate::layer::input::Input;
use crate::layer::limits::Limits;
use crate::layer::path::LayerPath;
use crate::layer::tar::TarReader;
use crate::layer::tar_entry::TarKind;
use std::collections::BTreeMap;
use std::io;

/// Files that an archive of images may have; real ones have dozens.
const FILES: usize = 100_000;
/// Links in a row.
const LINKS: usize = 8;

/// Where the bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first of them.
    pub offset: u64,
    /// How many.
    pub size: u64,
}

#[derive(Clone, Debug)]
enum Found {
    At(Place),
    Link(LayerPath),
}

/// What is where.
#[derive(Clone, Debug, Default)]
pub struct ArchiveIndex(BTreeMap<LayerPath, Found>);

impl ArchiveIndex {
    /// Reads the headers of an archive.
    pub fn read<I: Input>(input: I) -> io::Result<Self> {
        let mut tar = TarReader::new(input, Limits::default());
        let mut found = BTreeMap::new();
        while let Some(entry) = tar.next_entry()? {
            let path = LayerPath::parse(&entry.path)?;
            let what = match entry.kind {
                TarKind::File(size) if tar.is_sparse() => {
                    return Err(bad(format!(
                        "{}: a sparse file of {size} bytes in an archive of images",
                        path.shown()
                    )));
                }
                TarKind::File(size) => Found::At(Place { offset: tar.position(), size }),
                TarKind::HardLink(target) => Found::Link(LayerPath::parse(&target)?),
                TarKind::Special(Special::Symlink(target)) => match beside(&path, &target) {
                    Some(target) => Found::Link(target),
                    None => continue,
                },
                TarKind::Directory | TarKind::Special(_) => continue,
            };
            found.insert(path, what);
            if found.len() > FILES {
                return Err(bad(format!("there are more than {FILES} files in an archive of images")));
            }
        }
        Ok(Self(found))
    }

    /// Where a file is; nothing if it is not there.
    pub fn find(&self, name: &str) -> Option<Place> {
        let mut path = LayerPath::parse(name.as_bytes()).ok()?;
        for _ in 0..LINKS {
            match self.0.get(&path)? {
                Found::At(place) => return Some(*place),
                Found::Link(target) => path = target.clone(),
            }
        }
        None
    }
}

/// What a link leads to; nothing if that is outside.
fn beside(link: &LayerPath, target: &[u8]) -> Option<LayerPath> {
    let mut names: Vec<&[u8]> = link.names().collect();
    names.pop();
    if target.starts_with(b"/") {
        names.clear();
    }
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    LayerPath::parse(&names.join(&b'/')).ok()
}
