//! Ctrl-C and `systemctl stop` while something is being made: what has begun goes, and the program ends.
//! It knows not what is made; whoever makes it says what is to go, and when it must not be broken off.
//! Rules: signal(7), pthread_sigmask(3), sigwait(3); what was ignored (nohup, a shell's `&`) stays ignored.

use super::place::Traces;
use super::process_status;
use super::terminal;
use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
/// What a shell adds to a signal's number.
const BY_SIGNAL: i32 = 128;

/// How far it is.
#[derive(Debug, Default)]
pub enum State {
    /// There is nothing yet that would have to go.
    #[default]
    Nothing,
    /// These would have to go.
    Begun(Traces),
    /// It is done: a signal comes too late, and the program ends by itself.
    Done,
}

/// What has to go when a signal comes.
#[derive(Clone, Debug)]
pub struct Interruption {
    program: &'static str,
    state: Arc<Mutex<State>>,
}

impl Interruption {
    /// Begins to wait for signals, in a thread; it must be called before there is another.
    pub fn watch(program: &'static str) -> Result<Self> {
        let ignored = process_status::bits("SigIgn").unwrap_or(0);
        let mut set = SigSet::empty();
        SIGNALS.iter().filter(|signal| ignored >> (**signal as u64 - 1) & 1 == 0).for_each(|signal| set.add(*signal));
        let interruption = Self { program, state: Arc::default() };
        if set.iter().next().is_none() {
            return Ok(interruption);
        }
        set.thread_block().context("blocking signals")?;
        let own = interruption.clone();
        let waiting = std::thread::Builder::new().name("signals".into()).spawn(move || own.end_at(set));
        waiting.context("starting a thread that waits for signals")?;
        Ok(interruption)
    }

    /// No signal ends the program as long as this lives.
    pub fn hold(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_at(&self, set: SigSet) {
        // Only EINVAL, for a set of no signals.
        let Ok(signal) = set.wait() else { return };
        // Never given back: from here on nothing gets a name.
        let held = self.hold();
        match &*held {
            State::Nothing => {}
            State::Begun(traces) => traces.remove(),
            State::Done => return,
        }
        let line = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
        terminal::complain(&format!("{line}{}: ended by {}, nothing is left\n", self.program, signal.as_str()));
        std::process::exit(BY_SIGNAL + signal as i32);
    }
}
