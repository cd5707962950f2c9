//! The admin's command.
//! Everything is in `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    veneer::cli::main(std::env::args_os())
}
