//! Answers one connection of veneer-overlay-request.socket: a user who asks for an overlay over the host.
//! Everything is in `host::request`; the connection is standard input, as inetd(8) had it (systemd.exec(5)).

use std::process::ExitCode;
use veneer::host::request;
use veneer::host::terminal::complain_as;
use veneer::sysexits::Exit;

const NAME: &str = "veneer-overlay-request";
/// syslog(3)'s `LOG_ERR`.
const ERROR: u8 = 3;

fn main() -> ExitCode {
    let served = request::connection().and_then(request::serve);
    let exit = served.map_or_else(
        |error| {
            complain_as(ERROR, NAME, &format!("{error:#}"));
            Exit::Failure
        },
        |()| Exit::Success,
    );
    exit.into()
}
