//! Why an image is not served: one sentence that names it, and how the program ends.
//! It says nothing about what to do next; whatever the fault, the image does not start.
//! Exit codes are those of sysexits(3).

use crate::sysexits::Exit;
use std::fmt;

/// A fault of an image or of what it needs, as told to the admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How the program ends.
    pub exit: Exit,
    /// The sentence: lower case, one line, names the file.
    pub sentence: String,
}

impl Fault {
    /// The data is not what it must be.
    pub fn data(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Data, sentence: sentence.into() }
    }

    /// A file is missing.
    pub fn no_input(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::NoInput, sentence: sentence.into() }
    }

    /// A component of the machine is missing.
    pub fn unavailable(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, sentence: sentence.into() }
    }

    /// The machine refused something.
    pub fn failure(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, sentence: sentence.into() }
    }

    /// Whether the image is to blame, and not the machine or what is missing.
    pub fn is_of_the_image(&self) -> bool {
        self.exit == Exit::Data
    }

    /// The fault in an error's chain, if one is there.
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Fault {}
