//! `veneer-explain ID`: what the bare `app@ID.service` runs, to say in its journal why the app has no units.
//! It only reads the configuration; the answer is `explain`'s.

use std::path::Path;
use std::process::ExitCode;
use veneer::explain::explain;
use veneer::host::{config_files, terminal};
use veneer::sysexits::Exit;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(id), None) = (args.next(), args.next()) else {
        terminal::complain("veneer-explain: wants the id of an app: veneer-explain ID\n");
        return Exit::Usage.into();
    };
    let explanation = explain(&config_files::read(Path::new("/")), &id);
    for (priority, line) in &explanation.lines {
        // The journal takes the number as the line's priority (sd-daemon(3)).
        terminal::complain(&format!("<{}>{line}\n", *priority as u8));
    }
    explanation.exit.into()
}
