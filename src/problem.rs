//! What a user wrote wrong: the file, the place, the key and a sentence.
//! What the machine refused is no Problem but an `anyhow` error.
//! The form `FILE:LINE:COLUMN: KEY: sentence` is the one compilers use, so that editors can jump to it.

use std::fmt;

/// A place in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset in a text; an offset past the end is the end.
    pub fn at(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// How bad a Problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The app gets no units.
    Error,
    /// The app works, but not as somebody reading the file would think.
    Warning,
}

/// One thing a user wrote wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as the user knows it (without a `--root`).
    pub file: String,
    /// Where in the file, if it is about one place.
    pub place: Option<Place>,
    /// The key in full (`image.root-hash`), if it is about one; empty otherwise.
    pub key: String,
    /// What is wrong, with the nearest right thing: one sentence, no newline, no full stop.
    pub text: String,
    /// How bad it is.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if self.severity == Severity::Warning {
            f.write_str(": warning")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// The nearest of some words to one that was mistyped, if any is near enough to be meant.
pub fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('_', "-");
    words
        .into_iter()
        .map(|word| (distance(&typed, &word.to_ascii_lowercase().replace('_', "-")), word))
        .filter(|(far, word)| *far <= 1 + word.len().min(typed.len()) / 3)
        .min()
        .map(|(_, word)| word)
}

/// Damerau's distance (one of insert, delete, replace, swap costs 1), in the restricted form.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let swap = usize::from(a[i - 1] != b[j - 1]);
                let near = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + swap);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { near.min(rows[i - 2][j - 2] + 1) } else { near }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_in_characters() {
        let text = "a = 1\nä = \"x\"\n";
        assert_eq!(Place::at(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::at(text, text.find('x').expect("x")), Place { line: 2, column: 6 });
        assert_eq!(Place::at(text, 999), Place { line: 3, column: 1 });
    }

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        let words = ["exec", "environment", "root-hash", "user", "profile"];
        assert_eq!(nearest("exce", words), Some("exec"));
        assert_eq!(nearest("roothash", words), Some("root-hash"));
        assert_eq!(nearest("root_hash", words), Some("root-hash"));
        assert_eq!(nearest("enviroment", words), Some("environment"));
        assert_eq!(nearest("zzzzzz", words), None);
    }

    #[test]
    fn a_problem_reads_as_one_line() {
        let problem = Problem {
            file: "/etc/veneer/apps.d/x.toml".into(),
            place: Some(Place { line: 3, column: 7 }),
            key: "image.require".into(),
            text: "\"sgned\" is not one of signed, pinned, verity, none: did you mean \"signed\"?".into(),
            severity: Severity::Error,
        };
        assert_eq!(
            problem.to_string(),
            "/etc/veneer/apps.d/x.toml:3:7: image.require: \"sgned\" is not one of signed, pinned, verity, none: did you mean \"signed\"?"
        );
    }
}
