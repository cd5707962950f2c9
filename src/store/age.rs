//! Ages as an admin writes them.
//! It knows no dates and nothing shorter than a second.
//! The units are systemd's (systemd.time(7), "Parsing Time Spans"), one number and one unit.

/// A time span in seconds; `1d` is 86400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub u64);

impl Age {
    /// Reads `0`, `90s`, `15min`, `12h`, `1d`, `2w`; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no age: a whole number with s, min, h, d or w, like \"1d\", or \"0\"");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" if digits == "0" => 1,
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            "d" => 86400,
            "w" => 7 * 86400,
            _ => return Err(bad()),
        };
        let number: u64 =
            if digits.starts_with('+') { return Err(bad()) } else { digits.parse().map_err(|_| bad())? };
        number.checked_mul(unit).map(Self).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::Age;

    #[test]
    fn ages_are_a_number_and_a_unit() {
        for (text, seconds) in [("0", 0), ("90s", 90), ("15min", 900), ("12h", 43200), ("1d", 86400), ("2w", 1_209_600)]
        {
            assert_eq!(Age::parse(text), Ok(Age(seconds)), "{text}");
        }
        for bad in ["", "1", "d", "-1d", "+1d", "1.5d", "1 d", "1y", "99999999999999999999d", "999999999999999999w"] {
            assert!(Age::parse(bad).is_err(), "{bad}");
        }
    }
}
