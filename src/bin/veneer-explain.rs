//! `veneer-explain ID`: what the bare `app@ID.service` runs, to say in its journal why the app has no units.
//! It only reads the configuration; the answer is `explain`'s.

use std::path::Path;
use std::process::ExitCode;
use veneer::explain::{Explanation, explain};
use veneer::host::journal_datagram::JournalDatagram;
use veneer::host::{config_files, terminal};
use veneer::sysexits::Exit;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(id), None) = (args.next(), args.next()) else {
        terminal::complain("veneer-explain: wants the id of an app: veneer-explain ID\n");
        return Exit::Usage.into();
    };
    let explanation = explain(&config_files::read(Path::new("/")), &id);
    say(&explanation, &id);
    explanation.exit.into()
}

/// Each line once: to the journal with its fields, else to standard error.
fn say(explanation: &Explanation, id: &str) {
    let journal = JournalDatagram::open();
    for (priority, line) in &explanation.lines {
        let number = (*priority as u8).to_string();
        let fields = [
            ("PRIORITY", number.as_str()),
            ("MESSAGE", line),
            ("MESSAGE_ID", explanation.message.as_str()),
            ("VENEER_APP", id),
            ("SYSLOG_IDENTIFIER", "veneer-explain"),
        ];
        if journal.as_ref().is_none_or(|journal| journal.send(&fields).is_err()) {
            terminal::complain_as(*priority as u8, "veneer-explain", line);
        }
    }
    // A journal that hangs gets the entries late, and without the unit's name; ignoring.
    let _ = journal.map(JournalDatagram::settle);
}
