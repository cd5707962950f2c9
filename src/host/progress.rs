//! How far a conversion is, by the bytes that were read of its layers.
//! Whoever waits is told by `notify`: a bar on a terminal, `STATUS=` and a longer time-out in a unit.
//! It never slows anything down: the bytes are looked at only every few calls.

use super::notify;
use crate::layer::stream::Meter;

/// Calls between two looks at the bytes.
const CALLS: u32 = 64;

/// Progress of one conversion.
pub struct Progress {
    meter: Meter,
    told: notify::Progress,
    calls: u32,
}

impl Progress {
    /// Begins; without a total there is neither bar nor percentage.
    pub fn begin(what: String, total: Option<u64>, meter: Meter) -> Self {
        Self { meter, told: notify::Progress::begin(what, total.unwrap_or(0)), calls: 0 }
    }

    /// Something has been done.
    pub fn tick(&mut self) {
        self.calls += 1;
        if self.calls % CALLS == 0 {
            self.told.reached(self.meter.bytes());
        }
    }
}
