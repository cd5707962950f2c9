//! The generator's log: at boot there is no journal yet, only the kernel's ring buffer.
//! Nothing else of ours logs here.
//! Format: `<priority>identifier[pid]: text`, as systemd's own generators write it (sd-daemon(3), systemd.generator(7)).

use std::fs::{File, OpenOptions};
use std::io::{Write, stderr};

/// Where the generator's lines go.
#[derive(Debug)]
pub struct Kmsg {
    device: Option<File>,
}

/// How loud a line is (syslog(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// An app has no units.
    Error = 3,
}

impl Kmsg {
    /// The kernel's log if systemd (251 and later) runs us, else standard error: a person or a test reads that.
    pub fn open() -> Self {
        let by_systemd = std::env::var_os("SYSTEMD_SCOPE").is_some() || std::env::var_os("SYSTEMD_IN_INITRD").is_some();
        let device = by_systemd.then(|| OpenOptions::new().write(true).open("/dev/kmsg"));
        Self { device: device.and_then(Result::ok) }
    }

    /// Writes one line; a log that cannot be written is no reason not to write the units, ignoring.
    pub fn say(&mut self, priority: Priority, text: &str) {
        let line = text.replace('\n', " ");
        let _ = match &mut self.device {
            Some(device) => {
                // One write is one record, and the kernel cuts at about a kilobyte.
                let record = format!("<{}>veneer-generator[{}]: {line}\n", priority as u8, std::process::id());
                device.write_all(record.as_bytes())
            }
            None => writeln!(stderr(), "veneer-generator: {line}"),
        };
    }
}
