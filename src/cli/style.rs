//! Colours and dots, as systemctl(1) shows them.
//! Pure: whether colours are wanted comes in; plain text comes out the same but for the escape sequences.
//! Codes are ECMA-48's, the colours those of `systemctl status`.

use crate::host::terminal::Colour;

/// A way to show some words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Stands out.
    Bold,
    /// Steps back.
    Faint,
    /// Runs, is in order.
    Good,
    /// Wants a look.
    Warning,
    /// Is broken.
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Faint => "2",
            Self::Good => "1;32",
            Self::Warning => "1;33",
            Self::Bad => "1;31",
        }
    }

    /// The text in this style.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        self.write(&mut out, colour, text);
        out
    }

    /// The same, behind what is there.
    pub fn write(self, out: &mut String, colour: Colour, text: &str) {
        match colour {
            Colour::On if self != Self::Plain => {
                ["\x1b[", self.code(), "m", text, "\x1b[0m"].iter().for_each(|part| out.push_str(part))
            }
            _ => out.push_str(text),
        }
    }
}

/// The dot before a unit, by its `ActiveState` (systemctl(1), "status").
pub fn dot(active_state: &str) -> (&'static str, Style) {
    match active_state {
        // The last two are ours: a socket or a timer is up in the place of its service.
        "active" | "listening" | "waiting" => ("●", Style::Good),
        "reloading" | "refreshing" => ("↻", Style::Good),
        "activating" | "deactivating" => ("●", Style::Warning),
        "failed" => ("×", Style::Bad),
        _ => ("○", Style::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_nothing_but_the_text_is_left() {
        assert_eq!(Style::Bad.paint(Colour::Off, "x"), "x");
        assert_eq!(Style::Plain.paint(Colour::On, "x"), "x");
        assert_eq!(Style::Bad.paint(Colour::On, "x"), "\x1b[1;31mx\x1b[0m");
        assert_eq!(dot("failed").0, "×");
    }
}
