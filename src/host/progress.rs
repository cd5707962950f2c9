//! How far a conversion is, for whoever waits: a bar on a terminal, `STATUS=` and a longer time-out in a unit.
//! It never fails and never slows anything down: the clock is asked only every few calls.
//! Rules: sd_notify(3), "STATUS=" and "EXTEND_TIMEOUT_USEC="; no bar with `TERM=dumb`, no colours at all.

use super::notify;
use crate::layer::stream::Meter;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Calls between two looks at the bytes.
const CALLS: u32 = 64;

/// Progress of one conversion.
pub struct Progress {
    meter: Meter,
    bar: Option<ProgressBar>,
    unit: notify::Progress,
    calls: u32,
}

impl Progress {
    /// Begins; without a total there is neither bar nor percentage.
    pub fn begin(what: String, total: Option<u64>, meter: Meter) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let bar = total.filter(|_| terminal).map(bar);
        Self { meter, bar, unit: notify::Progress::begin(what, total.unwrap_or(0)), calls: 0 }
    }

    /// Something has been done.
    pub fn tick(&mut self) {
        self.calls += 1;
        if self.calls % CALLS == 0 {
            let bytes = self.meter.bytes();
            self.unit.reached(bytes);
            if let Some(bar) = &self.bar {
                bar.set_position(bytes);
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    // A template that does not parse leaves the usual bar.
    let style = ProgressStyle::with_template("{bar:40} {percent:>3}% {binary_bytes_per_sec} {eta}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
