//! A conversion's first half: the source opened, and merged into a writer, with its progress shown.
//! It knows no image format: whoever calls it brings the writer; `conversion` publishes what comes out.
//! What is asked for is `convert::Spec`'s; what the layers come to is `merge`'s.

use super::progress::Progress;
use super::source::{self, Opened};
use crate::convert::Spec;
use crate::image::tree::TreeWriter;
use crate::layer::entry::Layer;
use crate::merge::{Injections, Request, Summary, merge};
use crate::oci::layer::Reading;
use std::io;

/// Opens the source of a conversion.
pub fn open(spec: &Spec) -> io::Result<Opened> {
    let reading = Reading { limits: spec.limits, threads: spec.threads, ..Reading::default() };
    source::open(&spec.source, &spec.platform, &reading)
}

/// Merges an opened source, and what is injected, into a writer.
pub fn run<W: TreeWriter>(
    spec: &Spec,
    opened: &Opened,
    injections: &Injections,
    writer: W,
) -> io::Result<(W::Finished, Summary)> {
    let injected = (!injections.0.is_empty()).then_some((injections as &dyn Layer, spec.existing));
    let request = Request {
        layers: opened.layers.iter().map(|layer| &**layer).collect(),
        injected,
        mount_points: spec.mount_points,
        boot: spec.boot,
        limits: spec.limits,
    };
    let mut progress = Progress::begin(format!("converting {}", spec.source), opened.bytes, opened.meter.clone());
    merge(&request, writer, &mut || progress.tick())
}
