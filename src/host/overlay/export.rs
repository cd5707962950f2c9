//! `export`: what an overlay changes, as one file that another host, or another user, takes in.
//! The file is a tar of what the overlay says of itself and of a verity image; `import` reads it.
//! The format is docs/overlays.md, "An exported overlay". The file appears whole or not at all.

use super::commit::{self, Use};
use crate::convert::Output;
use crate::host::request::staging::Staging;
use crate::image::tar::file_header;
use crate::layer::header;
use crate::overlay::Record;
use crate::overlay::exported::{ABOUT, CHANGE, ENDINGS, Exported};
use crate::root_hash::RootHash;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const BLOCK: u64 = header::BLOCK as u64;
/// Root's own number: its is the place where the image is made.
const ROOT: u32 = 0;

/// The place where the image is made: taken before the lock, as whoever imports or asks does.
pub fn staging() -> Result<Staging> {
    Staging::of(ROOT)
}

/// Writes an overlay to a file; the root hash of the image in it. The caller holds the lock.
pub fn export(record: &Record, staging: &Staging, to: &Path) -> Result<RootHash> {
    let place = staging.at(CHANGE)?;
    let output = Output::parse(place.as_str()).map_err(anyhow::Error::msg)?;
    let root = commit::commit(record, &output, Use::Image)?;
    let about = Exported::of(record).to_text().context("writing what the overlay is")?;
    let new = beside(to)?;
    let written = write(&new, &about, place.as_str())
        .and_then(|()| std::fs::rename(&new, to))
        .with_context(|| format!("writing {}", to.display()));
    if written.is_err() {
        // The fault that is reported is the first one.
        drop(std::fs::remove_file(&new));
    }
    written.map(|()| root)
}

/// The name under which the file is written, in the same directory.
fn beside(to: &Path) -> Result<PathBuf> {
    let name = to.file_name().with_context(|| format!("{} names no file", to.display()))?;
    Ok(to.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id())))
}

fn write(new: &Path, about: &str, place: &str) -> io::Result<()> {
    // What it holds may be nobody else's to read.
    let file = File::options().write(true).create_new(true).mode(0o600).open(new)?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    member(&mut out, ABOUT, &mut about.as_bytes(), about.len() as u64)?;
    for ending in ENDINGS {
        let mut file = File::open(format!("{place}.{ending}"))?;
        let size = file.metadata()?.len();
        member(&mut out, &format!("{CHANGE}.{ending}"), &mut file, size)?;
    }
    out.write_all(&[0; 2 * BLOCK as usize])?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn member<R: Read>(out: &mut dyn Write, name: &str, from: &mut R, size: u64) -> io::Result<()> {
    out.write_all(&file_header(name, size)?)?;
    let copied = io::copy(&mut from.by_ref().take(size), out)?;
    if copied != size {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} has become shorter")));
    }
    io::copy(&mut io::repeat(0).take(size.next_multiple_of(BLOCK) - size), out).map(drop)
}
