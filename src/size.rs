//! Sizes as an admin writes them.
//! It knows no percentages: a limit that depends on the machine's memory is no limit an image can be tested with.
//! The suffixes are systemd's, to base 1024 (systemd.resource-control(5), "MemoryMax=").

use std::fmt;

/// A size in bytes; `256M` is 256·2^20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// Reads `4096`, `64K`, `256M`, `2G`, `1T`; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || {
            format!("{text:?} is not a size: a whole number above 0 with K, M, G or T (to base 1024), like \"256M\"")
        };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &text[digits.len()..] {
            "" | "B" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(bad()),
        };
        let number: u64 = if digits.starts_with('+') { 0 } else { digits.parse().map_err(|_| bad())? };
        number.checked_mul(1 << shift).filter(|size| *size > 0).map(Self).ok_or_else(bad)
    }

    /// So many bytes, and one at least.
    pub const fn of(bytes: u64) -> Self {
        Self(if bytes == 0 { 1 } else { bytes })
    }

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    /// The shortest exact form, which tmpfs's `size=` takes as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, suffix) in [(30, "g"), (20, "m"), (10, "k")] {
            if self.0 % (1 << shift) == 0 {
                return write!(f, "{}{suffix}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_are_to_base_1024_and_never_nothing() {
        assert_eq!(Size::parse("256M").map(Size::bytes), Ok(256 << 20));
        assert_eq!(Size::parse("1T").map(|size| size.to_string()), Ok("1024g".into()));
        assert_eq!(Size::parse("4097").map(|size| size.to_string()), Ok("4097".into()));
        for bad in ["", "0", "M", "-1", "+1", "1.5G", "1 G", "99999999999T", "1X", "50%"] {
            assert!(Size::parse(bad).is_err(), "{bad:?}");
        }
    }
}
