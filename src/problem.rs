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
    let plain = |word: &str| word.to_ascii_lowercase().replace('_', "-");
    let typed = plain(typed);
    let length = typed.chars().count();
    let near = |word: &'a str| {
        let most = 1 + word.len().min(typed.len()) / 3;
        // As far apart as their lengths at least; a file may have a key of a megabyte.
        let may_be = word.chars().count().abs_diff(length) <= most;
        let far = if may_be { distance(&typed, &plain(word)) } else { usize::MAX };
        (far <= most).then_some((far, word))
    };
    words.into_iter().filter_map(near).min().map(|(_, word)| word)
}

/// Damerau's distance (one of insert, delete, replace, swap costs 1), in the restricted form.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let [mut before, mut last, mut row] = [Vec::new(), Vec::new(), (0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        (before, last, row) = (last, row, before);
        row.clear();
        row.push(i);
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let near = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + other);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            row.push(if swapped { near.min(before[j - 2] + 1) } else { near });
        }
    }
    row[b.len()]
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
    fn distances_count_the_least_edits() {
        for (a, b, far) in [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 1)] {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
        for (a, b, far) in [("ca", "abc", 3), ("kitten", "sitting", 3), ("exce", "exec", 1), ("ab", "ba", 1)] {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
    }

    #[test]
    fn what_is_far_longer_is_near_to_nothing_and_costs_nothing() {
        let long = "exec".repeat(1 << 20);
        assert_eq!(nearest(&long, ["exec", "environment"].repeat(1000)), None);
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
