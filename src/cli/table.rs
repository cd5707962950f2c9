//! Tables for people: columns as wide as they need to be, the last one cut at the edge of the terminal.
//! Pure; programs get `--json` and nothing from here.
//! The look is that of `systemctl list-units`: capital headings, no lines, no pager.

use super::style::Style;
use crate::host::terminal::Terminal;
use std::borrow::Cow;

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

impl Cell {
    /// A cell in a style.
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// Lays rows out under their headings; without a terminal nothing is cut.
pub fn lay_out(headings: &[&str], rows: &[Vec<Cell>], terminal: Terminal) -> String {
    let head: Vec<Cell> = headings.iter().map(|heading| Cell::new(*heading, Style::Bold)).collect();
    let all: Vec<&Vec<Cell>> = std::iter::once(&head).chain(rows).collect();
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| all.iter().filter_map(|row| row.get(column)).map(|cell| width(&cell.text)).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    all.iter().for_each(|row| line(&mut out, row, &widths, terminal));
    out
}

fn line(out: &mut String, row: &[Cell], widths: &[usize], terminal: Terminal) {
    let columns = terminal.width.unwrap_or(usize::MAX);
    let (mut used, mut gap) = (0, 0);
    for (cell, wide) in row.iter().zip(widths) {
        // Space is written only before something.
        if !cell.text.is_empty() && used + gap < columns {
            out.extend(std::iter::repeat_n(' ', gap));
            used += gap;
            let text = fitting(&cell.text, columns - used);
            cell.style.write(out, terminal.colour, &text);
            used += width(&text);
            gap = wide.saturating_sub(width(&text)) + 2;
        } else {
            gap += wide + 2;
        }
    }
    out.push('\n');
}

/// Cuts a text to some columns, with a sign that there was more.
pub fn cut(text: &str, columns: usize) -> String {
    fitting(text, columns).into_owned()
}

fn fitting(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return text.into();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns == 0 { kept.into() } else { format!("{kept}…").into() }
}

/// Columns of a text: one a character, which holds for what ids, states and most descriptions are made of.
fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::terminal::Colour;

    const PIPE: Terminal = Terminal { colour: Colour::Off, width: None };

    fn rows() -> Vec<Vec<Cell>> {
        vec![vec!["a".into(), "active".into(), "One".into()], vec!["longer".into(), "failed".into(), "".into()]]
    }

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let text = lay_out(&["APP", "STATE", "DESCRIPTION"], &rows(), PIPE);
        assert_eq!(text, "APP     STATE   DESCRIPTION\na       active  One\nlonger  failed\n");
    }

    #[test]
    fn a_terminal_cuts_the_end_of_a_line() {
        let text = lay_out(&["APP", "STATE", "DESCRIPTION"], &rows(), Terminal { width: Some(18), ..PIPE });
        assert_eq!(text, "APP     STATE   D…\na       active  O…\nlonger  failed\n");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 1..40 {
            for colour in [Colour::Off, Colour::On] {
                let text = lay_out(&["APP", "", "DESCRIPTION"], &rows(), Terminal { width: Some(columns), colour });
                let plain = ["0", "1"].iter().fold(text, |text, code| text.replace(&format!("\x1b[{code}m"), ""));
                assert!(plain.lines().all(|line| width(line) <= columns && !line.ends_with(' ')), "{columns}: {plain}");
            }
        }
    }

    #[test]
    fn cutting_says_so() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
    }
}
