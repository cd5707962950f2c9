//! What is put into an image while it is made: files opened and named by their digests, a manifest read.
//! It decides neither where they go nor whether they may: `convert::spec` and `merge` do.
//! Each is opened once: what its name leads to later does not matter.

use super::config_files;
use super::stores::open_regular;
use crate::config::load_injections;
use crate::convert::Spec;
use crate::image::manifest;
use crate::inject::{Injection as Asked, What};
use crate::layer::digest::Hasher;
use crate::layer::fault::within;
use crate::merge::{Injected, Injection, Injections, Source};
use crate::problem::Problem;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// What the manifest of a command line says besides; the error is everything that is wrong with it.
pub fn with_manifest(mut spec: Spec) -> Result<Spec, Vec<Problem>> {
    if let Some(manifest) = &spec.manifest {
        spec.inject.extend(load_injections(&config_files::read_file(manifest))?);
    }
    Ok(spec)
}

/// Opens the files; what the merge takes, and what the manifest says of it.
pub fn open(asked: &[Asked<PathBuf>]) -> io::Result<(Injections, Vec<manifest::Injected>)> {
    let opened: Vec<_> = asked.iter().map(open_one).collect::<io::Result<_>>()?;
    let (injections, said) = opened.into_iter().unzip();
    Ok((Injections(injections), said))
}

fn open_one(asked: &Asked<PathBuf>) -> io::Result<(Injection, manifest::Injected)> {
    let mut said = String::new();
    let what = match &asked.what {
        What::File(source) => {
            let (file, size) = open_regular(source)?;
            said = digest(&file).map_err(|error| within(source.display(), &error))?;
            Injected::File(Box::new(OpenFile { file, size }))
        }
        What::Link(to) => Injected::Symlink(to.clone()),
        What::Directory(given) => Injected::Directory(*given),
    };
    let injection = Injection { target: asked.target.clone(), what, meta: asked.meta.clone() };
    Ok((injection, asked.recorded(|_| said)))
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
