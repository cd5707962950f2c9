//! What a oneshot tells systemd while it works.
//! It never fails: whoever runs us by hand does not listen.
//! Rules: sd_notify(3), "STATUS=" and "EXTEND_TIMEOUT_USEC=".

use indicatif::ProgressBar;
use sd_notify::NotifyState;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// How much longer a start may take after each sign of progress.
const EXTENSION: Duration = Duration::from_secs(30);
/// Signs of progress are not given more often.
const INTERVAL: Duration = Duration::from_millis(500);

/// Progress of one long act.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: u64,
    last: Instant,
}

impl Progress {
    /// Begins to tell of an act of so many steps; of one of 0 it is not known how many.
    pub fn begin(what: String, total: u64) -> Self {
        let progress = Self { what, total, last: Instant::now() };
        progress.tell(0);
        progress
    }

    /// Tells how far it is, now and then.
    pub fn reached(&mut self, done: u64) {
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            self.tell(done);
        }
    }

    fn tell(&self, done: u64) {
        let percent = done.saturating_mul(100).checked_div(self.total);
        let status = match percent {
            Some(percent) => format!("{}: {percent}%", self.what),
            None => self.what.clone(),
        };
        let extension = NotifyState::ExtendTimeoutUsec(EXTENSION.as_micros() as u32);
        // Nobody listens when run by hand.
        drop(sd_notify::notify(&[NotifyState::Status(&status), extension]));
    }
}

/// Progress of something that has no end one would know.
#[derive(Debug)]
pub struct Bytes {
    what: String,
    last: Instant,
    bar: Option<ProgressBar>,
}

impl Bytes {
    /// Begins to tell of it; on a terminal too.
    pub fn begin(what: String) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        working(&what);
        Self {
            bar: terminal.then(|| ProgressBar::new_spinner().with_message(what.clone())),
            what,
            last: Instant::now(),
        }
    }

    /// Tells how much has come, now and then.
    pub fn reached(&mut self, bytes: u64) {
        if self.last.elapsed() < INTERVAL {
            return;
        }
        self.last = Instant::now();
        let status = format!("{}: {} MiB", self.what, bytes >> 20);
        working(&status);
        if let Some(bar) = &self.bar {
            bar.set_message(status);
            bar.tick();
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Says what is being done, and that it may take longer.
pub fn working(status: &str) {
    let extension = NotifyState::ExtendTimeoutUsec(EXTENSION.as_micros() as u32);
    // Nobody listens when run by hand.
    drop(sd_notify::notify(&[NotifyState::Status(status), extension]));
}
