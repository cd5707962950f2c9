//! A refusal that carries its exit code up to `main`.
//! Everything else that goes wrong is a plain `anyhow` error and ends with code 1.
//! The codes are sysexits(3)'s, see `sysexits`.

use crate::sysexits::Exit;
use std::fmt;

/// A refusal with its exit code.
#[derive(Debug)]
struct Fault {
    exit: Exit,
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

/// An error that ends the program with this code.
pub fn fault(exit: Exit, text: impl Into<String>) -> anyhow::Error {
    Fault { exit, text: text.into() }.into()
}

/// The code that an error ends the program with.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(|cause| cause.downcast_ref::<Fault>()).map_or(Exit::Failure, |fault| fault.exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_code_survives_its_context() {
        let error = Err::<(), _>(fault(Exit::NoInput, "no such app")).context("starting").expect_err("an error");
        assert_eq!((exit_of(&error), format!("{error:#}")), (Exit::NoInput, "starting: no such app".into()));
        assert_eq!(exit_of(&anyhow::anyhow!("x")), Exit::Failure);
    }
}
