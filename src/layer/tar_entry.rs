//! What a tar archive says of one name, put together from its header and what stood before it.
//! It cleans no name and knows no whiteout: that is `archive`'s.
//! Sources: pax(1) in POSIX; where writers differ from it, what Go's archive/tar takes, as the container tools are built on it.

use super::fault::{bad, shown};
use super::header::{Format, Header};
use super::pax::Pax;
use crate::image::tree::{Device, Meta, Mode, Special, Time, Xattr};
use std::io;

/// An entry of a tar archive; names are as they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TarEntry {
    /// The name.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: TarKind,
    /// What is known of it.
    pub meta: Meta,
}

/// What a name in an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TarKind {
    /// A file of so many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// Another name of what was named before.
    HardLink(Vec<u8>),
    /// Anything else.
    Special(Special),
}

/// What stood before an entry's header.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) pax: Option<Pax>,
}

impl Before {
    /// Whether nothing stood there.
    pub(super) fn is_empty(&self) -> bool {
        self.name.is_none() && self.link.is_none() && self.pax.is_none()
    }

    /// One way to give a name at a time: readers differ in which of two holds.
    pub(super) fn check(&self) -> io::Result<()> {
        let pax = self.pax.as_ref();
        let twice = self.name.is_some() && pax.is_some_and(|pax| pax.path.is_some() || pax.sparse.name.is_some())
            || self.link.is_some() && pax.is_some_and(|pax| pax.link.is_some());
        if twice { Err(bad("an entry is named by GNU's long name and by a PAX header")) } else { Ok(()) }
    }
}

/// What Linux says of every link, whatever an archive says (symlink(7)).
const LINK: Mode = Mode(0o777);

/// The letter of an old GNU sparse file.
pub(super) const GNU_SPARSE: u8 = b'S';

/// Whether bytes of a file stand behind this header; all other kinds have none, whatever their size field says.
pub(super) fn has_data(header: &Header, path: &[u8]) -> bool {
    matches!(header.kind(), b'0' | b'7' | GNU_SPARSE) || header.kind() == 0 && !path.ends_with(b"/")
}

/// Puts the entry together; `size` is the file's own.
pub(super) fn assemble(header: &Header, before: &mut Before, path: Vec<u8>, size: u64) -> io::Result<TarEntry> {
    let pax = before.pax.take().unwrap_or_default();
    let link = pax.link.clone().or(before.link.take()).unwrap_or_else(|| header.link().to_vec());
    let kind = match header.kind() {
        0 if path.ends_with(b"/") => TarKind::Directory,
        0 | b'0' | b'7' | GNU_SPARSE => TarKind::File(size),
        b'1' => TarKind::HardLink(link),
        b'2' => TarKind::Special(Special::Symlink(link.into())),
        b'3' => TarKind::Special(Special::Character(device(header, &pax)?)),
        b'4' => TarKind::Special(Special::Block(device(header, &pax)?)),
        b'5' => TarKind::Directory,
        b'6' => TarKind::Special(Special::Fifo),
        other => return Err(bad(format!("{}: the unknown type {:?}", shown(&path), char::from(other)))),
    };
    let mut meta = meta(header, pax)?;
    if matches!(kind, TarKind::Special(Special::Symlink(_))) {
        meta.mode = LINK;
    }
    Ok(TarEntry { meta, path, kind })
}

fn meta(header: &Header, pax: Pax) -> io::Result<Meta> {
    let mode = header.mode()?;
    if mode < 0 {
        return Err(bad(format!("the mode is {mode}")));
    }
    let mtime = match pax.mtime {
        Some(time) => time,
        None => Time { seconds: header.mtime()?, nanoseconds: 0 },
    };
    Ok(Meta {
        mode: Mode((mode & 0o7777) as u16),
        uid: id("uid", pax.uid, || header.uid())?,
        gid: id("gid", pax.gid, || header.gid())?,
        mtime,
        xattrs: cleaned(pax.xattrs)?,
    })
}

fn cleaned(xattrs: Vec<Xattr>) -> io::Result<Vec<Xattr>> {
    if xattrs.is_empty() { Ok(xattrs) } else { super::xattr::clean(xattrs) }
}

/// The highest number is what chown(2) takes for "no change": nobody can have it.
fn id(what: &str, pax: Option<u64>, header: impl FnOnce() -> io::Result<i64>) -> io::Result<u32> {
    let number = match pax {
        Some(number) => i128::from(number),
        None => i128::from(header()?),
    };
    let id = u32::try_from(number).ok().filter(|id| *id != u32::MAX);
    id.ok_or_else(|| bad(format!("the {what} is {number}")))
}

/// Linux has twelve bits for the driver and twenty for the device.
fn device(header: &Header, pax: &Pax) -> io::Result<Device> {
    let (major, minor) = match pax.device {
        (Some(major), Some(minor)) => (i128::from(major), i128::from(minor)),
        _ if header.format == Format::V7 => return Err(bad("a device without numbers")),
        _ => header.device().map(|(major, minor)| (i128::from(major), i128::from(minor)))?,
    };
    let number = |value: i128, bits: u32| u32::try_from(value).ok().filter(|value| *value < 1 << bits);
    match (number(major, 12), number(minor, 20)) {
        (Some(major), Some(minor)) => Ok(Device { major, minor }),
        _ => Err(bad(format!("the device {major}:{minor} is not one of Linux"))),
    }
}
