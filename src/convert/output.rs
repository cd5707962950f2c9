//! Where an image goes: a directory, and its name there.
//! It looks at no disk; whether the directory is there shows when it is opened.
//! The names beside it are `image::publish`'s.

use crate::image::publish::ImageName;
use std::fmt;

/// The place of an image that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The directory.
    pub directory: String,
    /// The name there, without an ending.
    pub name: ImageName,
}

impl Output {
    /// Reads `DIR/NAME`; without a directory it is the current one. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (directory, name) = match text.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((directory, name)) => (directory, name),
            None => (".", text),
        };
        if let Some(stem) = name.strip_suffix(".raw") {
            return Err(format!("a name has no ending here: {stem:?} gives {stem}.raw and the files beside it"));
        }
        Ok(Self { directory: directory.to_owned(), name: ImageName::parse(name)? })
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.directory.as_str() {
            "." => write!(f, "{}", self.name),
            "/" => write!(f, "/{}", self.name),
            directory => write!(f, "{directory}/{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_a_directory_and_a_name() {
        for (text, directory, name) in
            [("a", ".", "a"), ("/a", "/", "a"), ("b/a", "b", "a"), ("/b/c/a.b", "/b/c", "a.b")]
        {
            let output = Output::parse(text).expect(text);
            assert_eq!((&*output.directory, output.name.as_str()), (directory, name));
            assert_eq!(output.to_string(), text);
        }
        for bad in ["", "/", "a/", "a/.b", "a/b.raw"] {
            assert!(Output::parse(bad).is_err(), "{bad}");
        }
    }
}
