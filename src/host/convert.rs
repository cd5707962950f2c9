//! A conversion done: the source opened, merged into a writer, with its progress shown.
//! It knows no image format: whoever calls it brings the writer, and publishes what comes out.
//! What is asked for is `convert::Spec`'s; what the layers come to is `merge`'s.

use super::progress::Progress;
use super::source::{self, Opened};
use super::stores::open_regular;
use crate::convert::Spec;
use crate::convert::spec::FileToInject;
use crate::image::tree::TreeWriter;
use crate::layer::entry::Layer;
use crate::merge::{Injected, Injection, Injections, Request, Source, Summary, merge};
use crate::oci::layer::Reading;
use std::fs::File;
use std::io::{self, Read};

/// Opens the source of a conversion.
pub fn open(spec: &Spec) -> io::Result<Opened> {
    let reading = Reading { limits: spec.limits, threads: spec.threads, ..Reading::default() };
    source::open(&spec.source, &spec.platform, &reading)
}

/// Merges an opened source into a writer.
pub fn run<W: TreeWriter>(spec: &Spec, opened: &Opened, writer: W) -> io::Result<(W::Finished, Summary)> {
    let injections = Injections(spec.inject.iter().map(injection).collect::<io::Result<_>>()?);
    let injected = (!injections.0.is_empty()).then_some((&injections as &dyn Layer, spec.existing));
    let request = Request {
        layers: opened.layers.iter().map(|layer| &**layer).collect(),
        injected,
        mount_points: spec.mount_points,
        limits: spec.limits,
    };
    let mut progress = Progress::begin(format!("converting {}", spec.source), opened.bytes, opened.meter.clone());
    merge(&request, writer, &mut || progress.tick())
}

fn injection(file: &FileToInject) -> io::Result<Injection> {
    let (open, size) = open_regular(&file.source)?;
    let what = Injected::File(Box::new(OpenFile { file: open, size }));
    Ok(Injection { target: file.target.clone(), what, meta: file.meta.clone() })
}

/// A file that was opened once: what its name leads to later does not matter.
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
