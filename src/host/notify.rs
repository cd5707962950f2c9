//! What a oneshot tells systemd while it works, and whoever runs it by hand: a bar on a terminal.
//! It never fails, and never slows anything down.
//! Rules: sd_notify(3), "STATUS=" and "EXTEND_TIMEOUT_USEC="; no bar with `TERM=dumb`, no colours at all.

use indicatif::{ProgressBar, ProgressStyle};
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
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins to tell of an act of so many steps; of one of 0 it is not known how many, and there is no bar.
    pub fn begin(what: String, total: u64) -> Self {
        let bar = (total > 0 && is_watched()).then(|| ProgressBar::new(total));
        Self::with_bar(what, total, bar)
    }

    fn with_bar(what: String, total: u64, bar: Option<ProgressBar>) -> Self {
        let bar = bar.map(|bar| bar.with_style(style()).with_message(what.clone()));
        let progress = Self { what, total, last: Instant::now(), bar };
        progress.tell(0);
        progress
    }

    /// Tells how far it is, now and then.
    pub fn reached(&mut self, done: u64) {
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            self.tell(done);
            // Not before the first interval has passed: what is done at once shows no bar.
            if let Some(bar) = &self.bar {
                bar.set_position(done);
            }
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

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whether somebody sees a bar: on a terminal that can go back in its line.
fn is_watched() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

fn style() -> ProgressStyle {
    // A template that does not parse leaves the usual bar.
    ProgressStyle::with_template("{msg} {wide_bar} {percent:>3}% {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
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
        working(&what);
        let bar = is_watched().then(|| ProgressBar::new_spinner().with_message(what.clone()));
        // It turns by itself: of some acts nothing is heard until they end.
        bar.iter().for_each(|bar| bar.enable_steady_tick(INTERVAL));
        Self { bar, what, last: Instant::now() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_follows_what_systemd_is_told() {
        let bar = ProgressBar::hidden();
        bar.set_length(8);
        let mut progress = Progress::with_bar("reading".into(), 8, Some(bar.clone()));
        progress.reached(3);
        assert_eq!((bar.position(), bar.message()), (0, "reading".into()));
        progress.last = progress.last.checked_sub(INTERVAL).expect("a time");
        progress.reached(5);
        assert_eq!(bar.position(), 5);
        drop(progress);
        assert!(bar.is_finished());
    }

    #[test]
    fn where_nobody_watches_there_is_no_bar() {
        assert!(is_watched() || Progress::begin("reading".into(), 8).bar.is_none());
        assert!(Progress::begin("reading".into(), 0).bar.is_none());
    }
}
