//! An image's bytes, as far as they go and as many as may be read in all.
//! It knows no layout; every place is checked here before it is read.
//! Rules: those of `layer::limits`.

use crate::layer::fault::bad;
use crate::layer::limits::Limits;
use crate::verity::tree::ReadAt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that end somewhere.
#[derive(Debug)]
pub(in crate::image) struct Bounded<D> {
    data: D,
    /// How many.
    pub(in crate::image) size: u64,
    /// What else is bounded.
    pub(in crate::image) limits: Limits,
    /// Bytes of files and attributes so far.
    spent: AtomicU64,
}

impl<D: ReadAt> Bounded<D> {
    pub(in crate::image) fn new(data: D, size: u64, limits: Limits) -> Self {
        Self { data, size, limits, spent: AtomicU64::new(0) }
    }

    /// Checks that some bytes lie in the image.
    pub(in crate::image) fn check(&self, at: u64, length: u64) -> io::Result<()> {
        let end = at.checked_add(length).filter(|end| *end <= self.size);
        end.map(drop).ok_or_else(|| bad("something lies outside of it"))
    }

    pub(in crate::image) fn fill(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.check(at, buffer.len() as u64)?;
        self.data.read_at(buffer, at)
    }

    /// Counts bytes that were read: many files can say that they have the same.
    pub(in crate::image) fn spend(&self, bytes: u64) -> io::Result<()> {
        let spent = self.spent.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        match spent > self.limits.total_size {
            true => Err(bad(format!("there are more than {} bytes in it", self.limits.total_size))),
            false => Ok(()),
        }
    }
}
