//! A refusal that carries its exit code up to `main`.
//! Everything else that goes wrong is a plain `anyhow` error and ends with code 1.
//! The codes are sysexits(3)'s, see `sysexits`.

use crate::sysexits::Exit;
use crate::verity;
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

/// The code that an error ends the program with, be it a refusal of ours or one from the host's side.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    let of_cause = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<Fault>() {
        Some(fault) => Some(fault.exit),
        None => cause.downcast_ref::<verity::Fault>().map(|fault| fault.exit),
    };
    error.chain().find_map(of_cause).unwrap_or(Exit::Failure)
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
        let error = anyhow::Error::new(verity::Fault::no_input("no such overlay")).context("looking");
        assert_eq!(exit_of(&error), Exit::NoInput);
    }
}
