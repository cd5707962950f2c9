//! What is wrong with an archive, as an I/O error: its kind says that the data is bad, its text says what.
//! It has no list of faults: each text is written where the fault is found, and tested there.
//! Whoever knows the entry or the layer puts its name before the text, once.

use std::io::{Error, ErrorKind};

/// Bad data; the text stands behind the name of the thing it is in.
pub fn bad(said: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, said.into())
}

/// An error with the thing it is about before it; its kind stays.
pub fn within(thing: impl std::fmt::Display, error: &Error) -> Error {
    Error::new(error.kind(), format!("{thing}: {error}"))
}

/// Longest part of a name that a message shows.
const SHOWN: usize = 120;

/// A name from an archive, fit for a message: printable, and not too long.
pub fn shown(name: &[u8]) -> String {
    let text = name.utf8_chunks().fold(String::new(), |text, chunk| {
        let valid: String = chunk.valid().chars().flat_map(printable).collect();
        let rest = chunk.invalid().escape_ascii();
        text + &valid + &rest.to_string()
    });
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn printable(c: char) -> Box<dyn Iterator<Item = char>> {
    if c.is_control() { Box::new(c.escape_default()) } else { Box::new(std::iter::once(c)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line_and_cut() {
        assert_eq!(shown("ä b".as_bytes()), "ä b");
        assert_eq!(shown(b"a\n\xff"), "a\\n\\xff");
        assert_eq!(shown(&[b'x'; 4096]).chars().count(), SHOWN + 1);
    }

    #[test]
    fn the_kind_stays() {
        let error = within("a", &bad("b"));
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidData, "a: b"));
    }
}
