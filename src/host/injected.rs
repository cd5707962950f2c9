//! Files that are put into an image, opened and named by their digests.
//! It decides neither where they go nor whether they may: `convert::spec` and `merge` do.
//! Each is opened once: what its name leads to later does not matter.

use super::stores::open_regular;
use crate::convert::spec::FileToInject;
use crate::image::manifest;
use crate::layer::digest::Hasher;
use crate::layer::fault::within;
use crate::merge::{Injected, Injection, Injections, Source};
use std::fs::File;
use std::io::{self, Read};

/// Opens the files; what the merge takes, and what the manifest says of it.
pub fn open(files: &[FileToInject]) -> io::Result<(Injections, Vec<manifest::Injected>)> {
    let opened: Vec<_> = files.iter().map(open_one).collect::<io::Result<_>>()?;
    let (injections, said) = opened.into_iter().unzip();
    Ok((Injections(injections), said))
}

fn open_one(file: &FileToInject) -> io::Result<(Injection, manifest::Injected)> {
    let (open, size) = open_regular(&file.source)?;
    let content = digest(&open).map_err(|error| within(file.source.display(), &error))?;
    let said = manifest::Injected {
        target: file.target.shown(),
        content,
        mode: format!("{:04o}", file.meta.mode.0),
        uid: file.meta.uid,
        gid: file.meta.gid,
    };
    let what = Injected::File(Box::new(OpenFile { file: open, size }));
    Ok((Injection { target: file.target.clone(), what, meta: file.meta.clone() }, said))
}

/// The digest of all that a file holds.
fn digest(file: &File) -> io::Result<String> {
    let (mut from, mut hasher, mut buffer) = (FromStart { file, at: 0 }, Hasher::new("sha256"), vec![0; 256 << 10]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hasher.finish().to_string()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

struct OpenFile {
    file: File,
    size: u64,
}

impl Source for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(FromStart { file: &self.file, at: 0 }))
    }
}

struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
