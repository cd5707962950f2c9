//! Entries for the journal from a program that ends at once, and waiting until the journal has taken them.
//! The journal finds the unit of an entry by its sender's process: one that has ended by then has no unit, and
//! `journalctl -u` would not show why its start failed. `journal` speaks to the same socket, and waits by this.
//! The protocol is "Native Journal Protocol" (systemd.io/JOURNAL_NATIVE_PROTOCOL); values here are single lines.

use super::ioctl;
use rustix::fd::AsFd;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::thread::sleep;
use std::time::Duration;

const SOCKET: &str = "/run/systemd/journal/socket";
/// How long a journal may take; one that hangs must not hang a start.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(2);

/// An open way to the journal.
#[derive(Debug)]
pub struct JournalDatagram(UnixDatagram);

impl JournalDatagram {
    /// Opens it, if systemd has connected our standard error to the journal; at a terminal there is none.
    pub fn open() -> Option<Self> {
        std::env::var_os("JOURNAL_STREAM")?;
        Self::connect()
    }

    /// Opens it for whoever knows that entries go there.
    pub fn connect() -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.connect(SOCKET).ok()?;
        socket.set_write_timeout(Some(PATIENCE)).ok()?;
        Some(Self(socket))
    }

    /// Sends an entry.
    pub fn send(&self, fields: &[(&str, &str)]) -> io::Result<()> {
        self.0.send(entry(fields).as_bytes()).map(drop)
    }

    /// Waits until the journal has dealt with all entries.
    ///
    /// It takes one datagram after the other; an empty one, which it passes over, is taken after all others are done.
    pub fn settle(self) -> io::Result<()> {
        self.0.send(&[])?;
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if ioctl::unread(self.0.as_fd())? == 0 {
                return Ok(());
            }
            sleep(PAUSE);
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

fn entry(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}\n", value.replace('\n', " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_a_field() {
        assert_eq!(entry(&[("PRIORITY", "3"), ("MESSAGE", "a=b\nc")]), "PRIORITY=3\nMESSAGE=a=b c\n");
    }

    #[test]
    fn what_the_other_side_has_not_read_is_counted() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        let _ = ours.send(b"x").expect("sent");
        let _ = ours.send(b"").expect("sent");
        assert!(ioctl::unread(ours.as_fd()).expect("counted") > 0);
        let mut buffer = [0; 8];
        let _ = theirs.recv(&mut buffer).expect("read");
        assert!(ioctl::unread(ours.as_fd()).expect("counted") > 0);
        let _ = theirs.recv(&mut buffer).expect("read");
        assert_eq!(ioctl::unread(ours.as_fd()).expect("counted"), 0);
    }
}
