//! A Problem with the line it is about, and a mark under the place.
//! Pure; what the Problem says is `problem`'s, and comes first, in the form editors can jump to.
//! The look is that of gcc(1) and rustc(1).

use super::style::Style;
use crate::host::terminal::Colour;
use crate::problem::{Place, Problem, Severity};

/// The Problem as one line, and, if its place is in the text, that line with a mark under it.
pub fn annotate(problem: &Problem, text: Option<&str>, colour: Colour) -> String {
    let style = style(problem.severity);
    let whole = problem.to_string();
    let (place, sentence) = whole.split_at(whole.len() - told(problem).len());
    let mut out = format!("{}{}{}\n", Style::Bold.paint(colour, place), label(problem, colour), sentence);
    let line = problem.place.and_then(|place| Some((place, text?.lines().nth(place.line.checked_sub(1)?)?)));
    if let Some((place, line)) = line {
        push_source(place, line, style, colour, &mut out);
    }
    out
}

/// What stands behind the place: key and sentence.
fn told(problem: &Problem) -> String {
    let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
    format!("{key}{}", problem.text)
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Error => Style::Bad,
        Severity::Warning => Style::Warning,
    }
}

/// A warning says so itself.
fn label(problem: &Problem, colour: Colour) -> String {
    match problem.severity {
        Severity::Error => Style::Bad.paint(colour, "error: "),
        Severity::Warning => String::new(),
    }
}

fn push_source(place: Place, line: &str, style: Style, colour: Colour, out: &mut String) {
    let number = place.line.to_string();
    let before: String = line.chars().take(place.column.saturating_sub(1)).map(blank).collect();
    let marked: String = line.chars().skip(place.column.saturating_sub(1)).collect();
    let mark = format!("^{}", "~".repeat(length(&marked).saturating_sub(1)));
    out.push_str(&format!("  {number:>4} | {line}\n"));
    out.push_str(&format!("  {:>4} | {before}{}\n", "", style.paint(colour, &mark)));
}

/// Keeps what comes behind it in its column.
fn blank(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

/// How many characters are meant: a quoted text, or what a bare key or number is made of; one at least.
fn length(text: &str) -> usize {
    let mut chars = text.chars();
    match chars.next() {
        Some(quote @ ('"' | '\'')) => match chars.as_str().find(quote) {
            Some(end) => chars.as_str()[..end].chars().count() + 2,
            None => text.chars().count(),
        },
        _ => text.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')).count().max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize, column: usize, severity: Severity) -> Problem {
        Problem {
            file: "x.toml".into(),
            place: Some(Place { line, column }),
            key: "a.b".into(),
            text: "is wrong".into(),
            severity,
        }
    }

    #[test]
    fn the_place_is_marked() {
        let text = annotate(&problem(2, 6, Severity::Error), Some("[a]\n\tb = \"x y\" # z\n"), Colour::Off);
        assert_eq!(text, "x.toml:2:6: error: a.b: is wrong\n     2 | \tb = \"x y\" # z\n       | \t    ^~~~~\n");
    }

    #[test]
    fn a_warning_says_so_once() {
        let text = annotate(&problem(1, 1, Severity::Warning), Some("key-a = 1"), Colour::Off);
        assert_eq!(text, "x.toml:1:1: warning: a.b: is wrong\n     1 | key-a = 1\n       | ^~~~~\n");
    }

    #[test]
    fn without_text_or_place_one_line_is_left() {
        assert_eq!(annotate(&problem(9, 1, Severity::Error), Some("x"), Colour::Off).lines().count(), 1);
        let mut placeless = problem(1, 1, Severity::Error);
        placeless.place = None;
        placeless.key.clear();
        assert_eq!(annotate(&placeless, Some("x"), Colour::Off), "x.toml: error: is wrong\n");
    }

    proptest::proptest! {
        #[test]
        fn no_place_and_no_text_makes_it_panic(line in 0usize..5, column in 0usize..20, text in "(?s).{0,60}") {
            let shown = annotate(&problem(line, column, Severity::Error), Some(&text), Colour::On);
            proptest::prop_assert!(shown.ends_with('\n'));
        }
    }

    #[test]
    fn what_is_meant_is_measured() {
        for (text, wanted) in [("\"a b\" c", 5), ("a-b = 1", 3), ("= 1", 1), ("", 1), ("\"open", 5)] {
            assert_eq!(length(text), wanted, "{text}");
        }
    }
}
