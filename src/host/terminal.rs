//! Where the admin's command writes to: what kind of thing standard output is, and the writing itself.
//! It knows no colours by name and lays nothing out; that is `cli::style` and `cli::table`.
//! NO_COLOR is no-color.org's; TERM=dumb and the rest follow systemctl(1).

use anyhow::{Context, Result};
use std::io::{ErrorKind, IsTerminal, Write};

/// What standard output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Whether escape sequences are understood and wanted.
    pub colour: Colour,
    /// Columns, if somebody reads along.
    pub width: Option<usize>,
}

/// Whether colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences are written.
    On,
    /// Plain text.
    Off,
}

impl Terminal {
    /// Looks at standard output and the environment.
    pub fn of_stdout() -> Self {
        let out = std::io::stdout();
        if !out.is_terminal() {
            return Self { colour: Colour::Off, width: None };
        }
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let width = rustix::termios::tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col));
        Self { colour: if refused || dumb { Colour::Off } else { Colour::On }, width: width.filter(|width| *width > 0) }
    }
}

/// Writes to standard output; whoever closed it (`veneer list | head`) wants no more, which is no error.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("writing the output"),
        _ => Ok(()),
    }
}

/// Writes to standard error; where nobody can be told, nothing is left to do.
pub fn complain(text: &str) {
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

/// Asks a question on the terminal; no, where nobody can answer.
pub fn ask(question: &str) -> bool {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return false;
    }
    complain(question);
    let mut answer = String::new();
    // An answer that cannot be read is none.
    drop(std::io::stdin().read_line(&mut answer));
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Says something with a syslog priority: to the journal as systemd reads it (sd-daemon(3)), to people without.
pub fn complain_as(priority: u8, program: &str, line: &str) {
    match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => complain(&format!("<{priority}>{line}\n")),
        None => complain(&format!("{program}: {line}\n")),
    }
}
